// States that the dashboard has to show as what they are, and how soon it shows its first numbers.
import assert from "node:assert/strict";
import * as format from "../static/lib/format.mjs";
import * as hostile from "./hostile.mjs";
import { until } from "./server.mjs";

const said = (page, selector, pattern) => page.waitForFunction(([s, p]) => new RegExp(p).test(document.querySelector(s)?.textContent ?? ""), [selector, pattern], { timeout: 20_000 });

// freshness goes through what a server can say of itself, and looks whether bar and status line say it too.
export async function freshness(server, page, fits) {
  const body = await server.get("/pipeline");
  const behind = (lag) => ({ ...body, state: "catching_up", verdict: `Catching up: ${lag} records`, partitions: body.partitions.map((p) => ({ ...p, lag: lag / body.partitions.length })) });
  let answer;
  const pipeline = "**/api/v1/pipeline";
  await page.route(pipeline, (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(answer()) }));
  let left = 2_400_000;
  answer = () => behind((left -= 12_000));
  await said(page, ".freshness", "^Catching up2\\.\\d M behind, \\d+ (s|min) left$");
  await said(page, ".status", "^Catching up: \\d+ records");
  await fits(page);
  const busy = { ...body, partitions: body.partitions.map((p) => ({ ...p, idle: false })) };
  answer = () => busy;
  await said(page, ".freshness", "^Stalesince \\d\\d:\\d\\d$"); // the traffic has ended minutes ago
  answer = () => body;
  await said(page, ".freshness", "^(Quiet|Stale)");
  answer = () => ({ ...body, state: "faulted", verdict: "Partition 7 stands still: its topic was re-created" });
  await said(page, ".freshness", "^FaultedPartition 7 stands still");
  await fits(page);
  await page.unroute(pipeline);
  await said(page, ".status", "^Healthy");
}

// withoutSockets has WebSockets end before they open, as a proxy may.
export const withoutSockets = (page) =>
  page.addInitScript(() => {
    globalThis.WebSocket = class {
      constructor() {
        setTimeout(() => this.onclose?.({ code: 1006, reason: "" }));
      }
      send() {}
      close() {}
    };
  });

// withoutLive opens the page where no WebSocket gets through.
export async function withoutLive(browser, server, fits) {
  const page = await browser.open(server.url, { before: withoutSockets });
  await said(page, ".nothing h2", "^The live channel can't be reached$");
  await fits(page);
  await page.click('.nothing a[href="#history"]');
  await page.waitForSelector("main[data-key=current] figure canvas");
  assert.deepEqual(page.faults, []);
  await page.close();
}

// watchFirstNumber counts what the page has to ask for, one after the other, until a tile shows a number: an ask is one step
// further than the furthest answer that the page had when it asked.
function watchFirstNumber() {
  let depth = 0;
  const answered = (step) => (depth = Math.max(depth, step));
  const ask = globalThis.fetch;
  globalThis.fetch = (...args) => {
    const step = depth + 1;
    return ask(...args).finally(() => answered(step));
  };
  const Socket = globalThis.WebSocket;
  globalThis.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      const opened = depth + 1;
      let step = opened;
      this.addEventListener("open", () => answered(opened));
      this.addEventListener("message", (m) => JSON.parse(m.data).op === "snapshot" && answered(step));
      const send = this.send;
      this.send = (text) => {
        if (JSON.parse(text).op === "subscribe") step = depth + 1;
        send.call(this, text);
      };
    }
  };
  new MutationObserver((_, watcher) => {
    const number = document.querySelector(".tile-face[data-window] .number")?.textContent;
    if (!number || number === "–") return;
    watcher.disconnect();
    globalThis.firstNumber = { depth, at: performance.now() };
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

// firstNumbers loads the page again and again, and tells how long that took: machines are shared, and a time proves nothing
// there. What is checked is that a number needs the list of metrics and the live channel alone, and two questions in series:
// nothing else is answered.
export async function firstNumbers(browser, server, loads) {
  const page = await browser.open("about:blank", { before: (p) => p.addInitScript(watchFirstNumber) });
  const times = [];
  for (let i = 0; i < loads; i++) {
    await page.goto(server.url);
    times.push((await (await page.waitForFunction(() => globalThis.firstNumber)).jsonValue()).at);
  }
  times.sort((a, b) => a - b);
  console.log(`        first number after ${Math.round(times[0])} ms at best, ${Math.round(times[times.length >> 1])} ms in the middle of ${loads} loads`);
  await page.route((url) => url.pathname.startsWith("/api/v1/") && url.pathname !== "/api/v1/metrics", () => {});
  await page.goto(server.url);
  const { depth } = await (await page.waitForFunction(() => globalThis.firstNumber)).jsonValue();
  assert.ok(depth >= 1 && depth <= 2, `the first number took ${depth} questions, one after the other`);
  await page.close();
}

// noGap looks whether every window between the first and the last of the chart has a point.
export async function noGap(server, page, since) {
  await page.click("figure .button.quiet");
  const slide = 5000; // of page views per second
  let times = [];
  let holes = [];
  await until("the chart has every window up to the newest", async () => {
    for (let more = await page.$(".table-box .more"); more; more = await page.$(".table-box .more")) await more.click();
    const { final } = await server.get("/metrics/page_views_per_second/latest");
    const rows = await page.$$eval(".table-box tbody tr", (all) => all.map((tr) => [Number(tr.dataset.at), tr.cells[1].textContent, tr.textContent.includes("still open")]));
    times = rows.filter(([, value, open]) => value !== "–" && !open).map(([at]) => at);
    holes = times.slice(1).filter((at, i) => times[i] - at !== slide);
    return holes.length === 0 && final[0].window_end_ms > since && times[0] === final[0].window_end_ms && rows.find(([at]) => at === times[0])[1] === format.text(final[0].value, "1/s");
  }, 30_000).catch((error) => assert.fail(`${error.message}; ${times.length} windows, holes after ${holes}`));
  assert.ok(times.some((at) => at <= since) && times.some((at) => at > since + slide), `${times.length} windows from ${times.at(-1)} to ${times[0]} are not on both sides of ${since}`);
  await page.click("figure .button.quiet");
}

// extremes looks at tiles and charts of numbers that no shop has.
export async function extremes(server, page, fits) {
  const { metrics } = await server.get("/metrics");
  await page.keyboard.press("1");
  const names = ["huge", "tiny", "below"];
  let written = 0;
  await until("they are shown as REST has them", async () => {
    if (Date.now() - written > 10_000) {
      server.write(hostile.events()); // windows without any have 0
      written = Date.now();
    }
    for (const name of names) {
      const { final } = await server.get(`/metrics/${name}/latest`);
      const { number } = format.value(final[0].value, metrics.find((m) => m.name === name).unit);
      if (final[0].value === 0 || (await page.textContent(`.tile-face[data-metric=${name}] .number`)) !== number) return false;
    }
    return true;
  });
  for (const name of names) {
    await page.click(`.tile-face[data-metric=${name}]`);
    await page.waitForSelector(`figure[data-metric=${name}][data-points]:not([data-points="0"]) canvas`);
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page);
      const cut = await page.$$eval(".tile-line", (all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent));
      assert.deepEqual(cut, [], `cut at ${width}`);
    }
  }
}

// asleep stops the page as a computer that sleeps does, for an hour of event time. Nothing of that may be missing after.
export async function asleep(server, page) {
  await page.click('[aria-label="Period"] button:nth-child(3)');
  const { watermark_ms: before, counters } = await server.get("/pipeline");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Debugger.enable");
  const paused = new Promise((resolve) => devtools.once("Debugger.paused", resolve));
  await devtools.send("Debugger.pause");
  await paused;
  server.simulate(EVENTS, before + 3_600_000);
  await server.caughtUp(counters.consumed + EVENTS);
  await devtools.send("Debugger.resume");
  await devtools.send("Debugger.disable");
  await devtools.detach();
  await noGap(server, page, before);
  await page.click('[aria-label="Period"] button:nth-child(1)');
}

const EVENTS = 40_000;

// widths shows every page in windows that are neither wide nor narrow, and in one that is very narrow. No number is cut off.
export async function widths(browser, server) {
  const page = await browser.open(server.url);
  for (const hash of ["#live", "#history?period=1h", "#alerts", "#pipeline"]) {
    await page.evaluate((to) => (location.hash = to), hash);
    await page.waitForSelector("figure canvas, .alert-list, .empty, table.partitions tbody tr");
    for (const width of [320, 641, 768, 1001, 1120, 1200, 1281, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      const fits = () => document.documentElement.scrollWidth === document.documentElement.clientWidth; // once charts have followed
      await page.waitForFunction(fits, null, { timeout: 5000 }).catch(() => assert.fail(`${hash} is wider than ${width}`));
      const cut = () => { // not even if tiles show a busy shop's numbers
        for (const e of document.querySelectorAll(".tile-line .number")) e.firstChild.data = e.nextSibling ? "113.4" : "14,453"; // with a unit
        for (const e of document.querySelectorAll(".tile-line:not(:has(.change))")) e.insertAdjacentHTML("beforeend", '<span class="change">▲ 16.7 %</span>');
        return [...document.querySelectorAll(".tile-line, .segments button")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent);
      };
      assert.deepEqual(await page.evaluate(cut), [], `${hash} at ${width}`);
    }
  }
  assert.deepEqual(page.faults, []);
  await page.close();
}
