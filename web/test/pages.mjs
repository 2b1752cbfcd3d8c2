// What the pages of history and alerts, and the filters of the live page, have to do in a browser.
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import * as format from "../static/lib/format.mjs";
import * as hostile from "./hostile.mjs";
import { until } from "./server.mjs";

const current = (page) => page.waitForSelector("main[data-key=current]");

// show opens an address as if somebody had typed it.
async function show(page, hash) {
  await page.evaluate((to) => (location.hash = to), hash);
  await current(page);
}

export async function history(check, server, page, fits) {
  await check("history: the table has REST's numbers, and those of the period before", () => table(server, page));
  await check("history: groups are REST's series, and one is shown by a click, which the address holds", () => groups(server, page, fits));
  await check("history: CSV is the server's own, PNG is a picture", () => exports(server, page));
  await check("history: nothing matches, too much, unknown, unreachable: each has words", () => states(page));
  await check("history: earlier and later by key, closer by the mouse, back by the browser", () => moves(page));
}

async function table(server, page) {
  const { watermark_ms } = await server.get("/metrics/page_views_per_second/history");
  const to = Math.floor(watermark_ms / 10_000) * 10_000;
  const from = to - 120_000;
  await show(page, `#history?metric=page_views_per_second&from=${from}&to=${to}&step=10000&view=table`);
  await page.waitForSelector(".table-box tbody tr");
  const rows = await page.$$eval(".table-box tbody tr", (all) => all.map((tr) => [Number(tr.dataset.at), tr.cells[1].textContent, tr.cells[2].textContent]));
  const now = await server.get(`/metrics/page_views_per_second/history?from=${from}&to=${to}&step=10s`);
  const before = await server.get(`/metrics/page_views_per_second/history?from=${from - 120_000}&to=${from}&step=10s`);
  const earlier = new Map(before.series[0].points.map(([t, v]) => [t + 120_000, v]));
  const text = (v) => format.text(v ?? null, "1/s");
  assert.equal(rows.length, 12);
  assert.deepEqual(rows, now.series[0].points.map(([t, v]) => [t + 10_000, text(v), text(earlier.get(t))]).reverse());
}

async function groups(server, page, fits) {
  await show(page, "#history?metric=device_breakdown&period=1h");
  await page.waitForSelector(".groups li");
  const { series } = await server.get("/metrics/device_breakdown/history?from=-1h&step=1m");
  const names = await page.$$eval(".group-row .row-name", (all) => all.map((e) => e.textContent));
  assert.deepEqual(names, series.map((s) => format.groupName(s.group.device_type, "device_type").name));
  await page.click(".groups li:nth-child(2) button");
  await page.waitForSelector(".chip");
  await current(page);
  const second = series[1].group.device_type;
  assert.match(page.url(), new RegExp(`group\\.device_type=${second}`));
  assert.ok((await page.textContent("#chart-title")).includes(names[1]));
  await page.waitForFunction((n) => Number(document.querySelector("figure").dataset.points) === n, series[1].points.length);
  await fits(page);
  await page.click(".chip button");
  await page.waitForFunction(() => !document.querySelector(".chip"));
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.closest("label, form") !== null), true, "/ leads to a filter");
  await page.evaluate(() => document.activeElement.blur());
}

async function exports(server, page) {
  const { watermark_ms: to } = await server.get("/pipeline");
  const from = to - 600_000;
  await show(page, `#history?metric=page_views_per_second&from=${from}&to=${to}`);
  await page.waitForSelector("figure canvas");
  const take = async (n) => {
    await page.click(".menu summary");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`.menu-box button:nth-child(${n})`)]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const csv = await take(1);
  assert.match(csv.name, /^page_views_per_second.*\.csv$/);
  const aligned = `from=${Math.floor(from / 5000) * 5000}&to=${Math.ceil(to / 5000) * 5000}`;
  const own = await fetch(`${server.url}/api/v1/metrics/page_views_per_second/history?${aligned}`, { headers: { accept: "text/csv" } });
  assert.equal(csv.bytes.toString(), await own.text());
  const png = await take(2);
  assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
  assert.ok(png.bytes.length > 5000, `${png.bytes.length} bytes`);
}

async function states(page) {
  await show(page, "#history?metric=device_breakdown&group.device_type=TOASTER");
  await page.waitForFunction(() => document.querySelector(".nothing h2")?.textContent === "Nothing matches the filter");
  await page.click(".nothing button");
  await page.waitForSelector("figure canvas");
  await page.evaluate(() => (location.hash = "#history?metric=nix"));
  await page.waitForFunction(() => /There is no metric nix/.test(document.querySelector(".nothing h2")?.textContent));
  const problem = { type: "/problems/query-too-large", title: "The query would read too much", status: 422, detail: "ask for a shorter range" };
  const history = "**/api/v1/metrics/active_users/history*";
  await page.route(history, (route) => route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify(problem) }));
  await page.evaluate(() => (location.hash = "#history?metric=active_users"));
  await page.waitForFunction(() => /too much to read at once/.test(document.querySelector(".trouble")?.textContent));
  assert.ok((await page.textContent(".trouble")).includes(problem.detail), "in the server's own words");
  await page.unroute(history);
  await page.route(history, (route) => route.abort());
  await page.evaluate(() => (location.hash = "#history?metric=active_users&period=1h"));
  await page.waitForFunction(() => /can't be reached/.test(document.querySelector(".trouble")?.textContent));
  await page.unroute(history);
  await page.waitForSelector("main[data-key=current] figure canvas", { timeout: 15_000 }); // it asks again by itself
  page.faults = page.faults.filter((f) => !/422|ERR_FAILED/.test(f));
}

async function moves(page) {
  const hour = "#history?metric=page_views_per_second&period=1h";
  await show(page, hour);
  const { x, y, width } = await (await page.waitForSelector("main[data-key=current] .u-over")).boundingBox();
  await page.mouse.move(x + width * 0.25, y + 100);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.5, y + 100, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => /from=\d+&to=\d+/.test(location.hash));
  const [, from, to] = page.url().match(/from=(\d+)&to=(\d+)/).map(Number);
  assert.ok(to - from > 0.2 * 3_600_000 && to - from < 0.3 * 3_600_000, `${to - from} ms are shown`);
  await page.goBack();
  await page.waitForFunction((hash) => location.hash === hash, hour);
  await current(page);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("[");
  await page.waitForFunction(() => /from=\d+&to=\d+/.test(location.hash));
  const there = new URL(page.url()).hash;
  await current(page);
  await page.keyboard.press("[");
  await page.waitForFunction((hash) => location.hash !== hash, there);
  await page.keyboard.press("]");
  await page.waitForFunction((hash) => location.hash === hash, there);
  await page.keyboard.press("3");
  await page.waitForSelector(".tab[data-page=alerts][aria-current]");
  await page.goBack();
  await page.waitForFunction((hash) => location.hash === hash && document.querySelector(".tab[data-page=history][aria-current]"), there);
}

export async function chips(server, page, fits) {
  const row = '.list[data-metric="geographic_distribution"] li:first-child .row-face';
  const country = await page.getAttribute(`${row} .row-name`, "data-group");
  await page.click(row);
  await page.waitForSelector('figure[data-metric="geographic_distribution"]');
  assert.equal(new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("group.country"), country);
  assert.equal(await page.$$eval(".tile-window.unfiltered", (all) => all.length), 7);
  const lists = await page.$$eval(".list", (all) => all.map((e) => [e.dataset.metric, e.querySelectorAll("li").length, /not filtered/.test(e.querySelector(".note").textContent)]));
  for (const [metric, rows, unfiltered] of lists) {
    if (metric === "geographic_distribution") assert.deepEqual([rows, unfiltered], [1, false]);
    else assert.ok(rows > 1 && unfiltered, `${metric} has ${rows} rows and says that it is not filtered: ${unfiltered}`);
  }
  await page.waitForFunction(() => Number(document.querySelector("figure").dataset.points) > 2);
  await page.click("figure .button.quiet");
  const { series } = await server.get(`/metrics/geographic_distribution/history?from=-1h&group.country=${encodeURIComponent(country)}`);
  const values = await page.$$eval(".table-box tbody tr", (all) => all.filter((tr) => tr.cells[3].textContent === "").map((tr) => [Number(tr.dataset.at), tr.cells[1].textContent]));
  const known = new Map(series[0].points.map(([t, v]) => [t + 60_000, format.text(v, "sessions")]));
  for (const [at, text] of values) assert.equal(text, known.get(at) ?? format.NONE);
  assert.ok(values.length > 2);
  await page.click("figure .button.quiet");
  await fits(page);
  await page.click(".chip button");
  await page.waitForFunction(() => document.querySelector("figure").dataset.metric === "page_views_per_second" && !document.querySelector(".unfiltered"));

  await page.focus("body");
  await page.keyboard.press("/");
  await page.keyboard.type("Country: Atlantis");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".chip");
  assert.match(await page.textContent('.list[data-metric="geographic_distribution"]'), /None in the last closed window/);
  await page.waitForFunction(() => document.querySelector(".no-points")?.textContent === "Geographic distribution, Atlantis has no value in this time.");
  await fits(page);
  await page.click(".chip button");
  await page.waitForFunction(() => !document.querySelector(".chip"));
}

export async function comparison(page) {
  await page.click('[aria-label="Comparison"] button:nth-child(2)');
  await page.waitForFunction(() => /a week earlier: no data/.test(document.querySelector("figure .legend").textContent));
  assert.deepEqual(await page.$$eval(".tile .change", (all) => all.length), 0, "what has no comparison has no change");
  await page.click('[aria-label="Comparison"] button:nth-child(3)');
  await page.waitForFunction(() => !/earlier/.test(document.querySelector("figure .legend").textContent));
  await page.click('[aria-label="Comparison"] button:nth-child(1)');
  await page.waitForFunction(() => /15 min earlier/.test(document.querySelector("figure .legend").textContent));
}

export async function quiet(page) {
  const asked = [];
  await page.evaluate(() => {
    const send = WebSocket.prototype.send;
    globalThis.sent = [];
    WebSocket.prototype.send = function (text) {
      globalThis.sent.push(text);
      return send.call(this, text);
    };
    Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.away });
    globalThis.away = true;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  asked.push(...(await page.evaluate(() => globalThis.sent.map((text) => JSON.parse(text)).filter((m) => m.op === "subscribe").map((m) => m.max_hz))));
  assert.deepEqual(asked, [0.1, 0.1]);
  await page.evaluate(() => {
    globalThis.away = false;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.emulateMedia({ reducedMotion: "reduce" });
  const moving = await page.$$eval(".row-bar, .list li, .lead-bar span", (all) => all.map((e) => getComputedStyle(e).transitionProperty).filter((p) => p !== "none"));
  assert.deepEqual(moving, []);
  await page.emulateMedia({ reducedMotion: "no-preference" });
}

// inTrouble makes an answer of /pipeline into one of 200 partitions of which one stands still and one waits.
export function inTrouble(body) {
  const [one] = body.partitions;
  body.partitions = Array.from({ length: 200 }, (_, partition) => ({ ...one, partition, position: 1e12 + partition, end: 2e12, lag: 1e12 - partition, holds_back: partition === 199 }));
  Object.assign(body.partitions[7], { fault: "its topic was re-created", fault_advice: "Decide with `tidemark resume --accept-gap events/7`" });
  Object.assign(body.partitions[9], { waiting: "schema 12 of the registry", idle: true });
  return Object.assign(body, { state: "faulted", verdict: "Partition 7 stands still", held: "the disk is nearly full", outputs: { fault: null, trouble: "no broker answers" } });
}

// troubled shows what a server says of 200 partitions of which one stands still and one waits.
export async function troubled(server, page, fits) {
  const body = inTrouble(await server.get("/pipeline"));
  const pipeline = "**/api/v1/pipeline";
  await page.route(pipeline, (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) }));
  await page.keyboard.press("4");
  await page.waitForSelector("table.partitions tbody tr:nth-child(200)");
  const said = await page.$$eval(".stands", (all) => all.map((e) => e.textContent));
  assert.deepEqual(said, [
    "Held: the disk is nearly full", "Publishing waits: no broker answers",
    "events/7 stands still: its topic was re-created. Decide with tidemark resume --accept-gap events/7", "events/9 waits: schema 12 of the registry",
  ]);
  const badges = await page.$$eval("table.partitions .badge", (all) => all.map((e) => e.textContent));
  for (const badge of ["stands still", "waits", "slowest"]) assert.equal(badges.filter((b) => b === badge).length, 1, badge);
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await fits(page);
  }
  await page.unroute(pipeline);
  await page.waitForFunction(() => document.querySelectorAll("table.partitions tbody tr").length === 12);
  await page.keyboard.press("1");
}

// definitions says in words what things are, to each way of asking.
export async function definitions(server, page) {
  const { metrics } = await server.get("/metrics");
  const said = (name) => metrics.find((m) => m.name === name).description;
  const seen = (of) => page.waitForFunction((text) => [...document.querySelectorAll(".tip")].some((e) => getComputedStyle(e).visibility === "visible" && e.textContent.startsWith(text)), of);
  const none = () => page.waitForFunction(() => [...document.querySelectorAll(".tip")].every((e) => getComputedStyle(e).visibility === "hidden"));
  await none();
  await page.hover('.tile-face[data-metric="bounce_rate"]');
  await seen(said("bounce_rate"));
  await page.mouse.move(2, 2);
  await none();
  await page.focus("#list-top_pages button"); // as the tab key does
  await page.keyboard.press("Tab");
  await page.keyboard.press("Shift+Tab");
  await seen(said("top_pages"));
  await page.evaluate(() => document.activeElement.blur());
  await none();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setTouchEmulationEnabled", { enabled: true });
  assert.ok(await page.evaluate(() => matchMedia("(hover: none)").matches));
  await page.click("#list-geographic_distribution button");
  await seen(said("geographic_distribution"));
  await page.evaluate(() => document.activeElement.blur());
  await none();
  await devtools.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  await devtools.detach();
}

export async function alerts(server, page, fits) {
  await page.click(".count");
  await page.waitForSelector("main[data-key=current] .alert-list");
  const same = async (query) => {
    const { alerts: all } = await server.get(`/alerts?limit=50&${query}`);
    await page.waitForFunction((ids) => JSON.stringify([...document.querySelectorAll(".alert-list .alert")].map((e) => e.dataset.alert)) === ids, JSON.stringify(all.map((a) => a.id)));
    return all;
  };
  await same("state=all");
  await page.click('[aria-label="State"] button:nth-child(3)');
  const [over] = await same("state=resolved");
  assert.match(page.url(), /state=resolved/);
  assert.equal(await page.textContent(".alert-list .alert-title"), `low: ${over.title}`);
  await page.click('[aria-label="State"] button:nth-child(1)');
  await page.click(".severity.critical");
  const [first] = await same("severity=CRITICAL");
  await page.click(".severity.critical");
  await page.selectOption('select[data-filter]', "TRAFFIC_ANOMALY");
  await page.waitForSelector("main[data-key=current] .empty");
  await page.click(".empty button");
  await same("state=all");

  await page.click(`[data-alert="${first.id}"] a`);
  await page.waitForSelector("main[data-key=current] .alert-head");
  const said = await page.textContent("main");
  for (const part of [first.title, first.description, first.recommended_action, first.group.url, first.pattern_matched, first.evidence.definition_hash.slice(0, 8), first.hash.slice(0, 8)]) {
    assert.ok(said.includes(part), `${said} has ${part}`);
  }
  assert.equal(await page.$$eval("#transitions", (all) => all.length), 1);
  assert.equal(await page.$$eval(".alert-head + .split table tbody tr", (all) => all.length), first.transitions.length);
  await page.waitForSelector("figure[data-marks='1']");
  await fits(page);
  await page.click(".past-notes a");
  await page.waitForSelector("main[data-key=current] figure");
  assert.match(page.url(), /#history\?metric=top_pages&from=\d+&to=\d+/);
  await page.evaluate(() => (location.hash = "#alerts?id=nix"));
  await page.waitForFunction(() => /There is no such alert/.test(document.querySelector("h1")?.textContent));
  page.faults = page.faults.filter((f) => !/404/.test(f));
}

const STORM = 500;

export async function storm(server, page, fits) {
  await page.evaluate(() => (location.hash = "#alerts?state=firing&severity=CRITICAL"));
  await current(page);
  await page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => (globalThis.longest = Math.max(globalThis.longest, e.duration)))).observe({ type: "longtask" });
  });
  server.write(hostile.events(...Array.from({ length: STORM }, (_, i) => `/storm/${i}`)));
  await page.waitForFunction((n) => parseInt(document.querySelector(".tab[data-page=alerts] .count")?.textContent) >= n, STORM, { timeout: 60_000 });
  await until("the list shows the storm", async () => {
    const { alerts: all } = await server.get("/alerts?state=firing&severity=CRITICAL&limit=50");
    const ids = await page.$$eval(".alert-list .alert", (list) => list.map((e) => e.dataset.alert));
    return JSON.stringify(ids) === JSON.stringify(all.map((a) => a.id));
  });
  const seen = new Set();
  for (;;) {
    await current(page);
    for (const id of await page.$$eval(".alert-list .alert", (all) => all.map((e) => e.dataset.alert))) seen.add(id);
    const older = await page.$('.pager a:has-text("Older")');
    if (!older) break;
    const newest = await page.getAttribute(".alert-list .alert", "data-alert");
    await older.click();
    await page.waitForFunction((before) => ![undefined, before].includes(document.querySelector("main[data-key=current] .alert-list .alert")?.dataset.alert), newest);
  }
  const { alerts: all } = await server.get("/alerts?state=firing&severity=CRITICAL&limit=1000");
  assert.deepEqual([...seen].sort(), all.map((a) => a.id).sort());
  const longest = await page.evaluate(() => globalThis.longest);
  console.log(`        ${seen.size} alerts firing, longest task ${Math.round(longest)} ms`);
  assert.ok(longest < 1000, `the page stood still for ${longest} ms`); // machines are shared
  await fits(page);
  await page.keyboard.press("1");
  await page.waitForSelector(".alerts .alert");
  assert.equal(await page.$$eval(".alerts .alert:not(.over)", (list) => list.length), 50);
}

export async function hostileHistory(page, fits) {
  await show(page, "#history?metric=top_pages&period=1h");
  await page.waitForSelector(".groups li");
  assert.ok((await page.textContent("#chart-title")).startsWith(hostile.script));
  for (const url of hostile.urls) {
    await show(page, `#history?${new URLSearchParams({ metric: "top_pages", period: "1h", "group.url": url })}`);
    await page.waitForFunction((text) => document.querySelector(".chip strong")?.textContent === text, url);
    await page.waitForFunction((text) => document.querySelector("#chart-title")?.textContent.endsWith(text), url);
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page);
    }
  }
}

// pipeline compares what the page says of the store, of commits and of definitions with REST.
export async function pipeline(server, page) {
  await page.keyboard.press("4");
  await page.waitForSelector(".definitions tbody .made .note");
  const { metrics } = await server.get("/metrics");
  const plan = await server.get("/definitions/plan");
  const rows = await page.$$eval(".definitions:not(.rules .definitions) tbody tr", (all) => all.map((tr) => [tr.querySelector("th code").textContent, tr.cells[6].textContent, tr.cells[7].textContent, [...tr.querySelectorAll(".made .note")].map((e) => e.textContent)]));
  const wanted = [...plan.metrics, ...plan.sessions].map((m) => [m.name, format.bytes(m.state_bytes), m.hash.slice(0, 8), m.accumulators]);
  assert.deepEqual(rows, wanted);
  assert.equal(rows.length, metrics.length + 1);
  const { store } = await server.get("/pipeline"); // nothing is written meanwhile
  const shown = await page.$$eval(".spaces li", (all) => all.map((e) => [e.querySelector(".row-name").textContent, e.querySelector(".row-value").textContent]));
  const history = store.keyspaces.find((one) => one.name === "history");
  assert.deepEqual(shown.find(([name]) => name === "history"), ["history", format.bytes(history.bytes)]);
  assert.ok(shown.length >= 3 && shown.length <= 9, JSON.stringify(shown));
  assert.deepEqual(await page.$$eval(".commits tbody th", (all) => all.map((e) => e.textContent)), ["Duration", "Size", "A second"]);
  assert.match(await page.textContent(".commits tbody tr:nth-child(2)"), /\d+(\.\d)? [kM]?B/);
  await page.keyboard.press("1");
}
