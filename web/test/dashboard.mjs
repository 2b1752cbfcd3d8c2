// The dashboard in a real Chromium: node dashboard.mjs BINARY [--screenshots DIR] [--only hostile|numbers|screenshots] [--loads N]
//
// A server with stopped traffic is compared with REST in every look; one with definitions that close fast gets hostile
// text; and with --screenshots a demo is photographed at the end. The last line is "N passed, M failed".
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import assert from "node:assert/strict";
import * as format from "../static/lib/format.mjs";
import { looks, openBrowser } from "./browser.mjs";
import * as hostile from "./hostile.mjs";
import * as pages from "./pages.mjs";
import { screenshots } from "./screenshots.mjs";
import { Server, until } from "./server.mjs";
import * as states from "./states.mjs";

const EVENTS = 400_000;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { screenshots: { type: "string" }, only: { type: "string" }, loads: { type: "string", default: "5" } } });
const [binary] = positionals;
if (!binary) {
  console.error("usage: node dashboard.mjs BINARY [--screenshots DIR] [--only hostile|numbers|screenshots] [--loads N]");
  process.exit(2);
}

let passed = 0;
let failed = 0;

async function check(name, run) {
  const begun = performance.now();
  const took = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`.padStart(7);
  try {
    await run();
    passed++;
    console.log(`ok     ${took()}  ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${took()}  ${name}\n        ${error.stack.replaceAll("\n", "\n        ")}`);
  }
}

// settled waits until the page shows numbers.
const settled = (page) => page.waitForFunction(() => document.querySelector("main[data-seq] .tile-face[data-window]") && document.querySelector("figure[data-points] canvas"));

const browser = await openBrowser();
try {
  const wanted = (part) => !options.only || options.only === part;
  if (wanted("hostile")) await hostileText();
  if (wanted("numbers")) await numbers();
  if (options.screenshots && wanted("screenshots")) await screenshots(binary, browser, options.screenshots);
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

// numbers compares the page with REST while nothing moves.
async function numbers() {
  const definitions = join(tmpdir(), `tidemark-still-${process.pid}.yaml`);
  writeFileSync(definitions, "version: 1\nsource: {idle_timeout: 2h, close_when_idle: 2h}\n"); // what was open stays open, however long the checks take
  const server = await Server.make(binary, "serve", ["--definitions", definitions]);
  try {
    server.simulate(EVENTS);
    await server.caughtUp(EVENTS);
    for (const look of looks) {
      const page = await browser.open(server.url, look);
      await settled(page);
      await check(`${look.name}: tiles, lists and charts show what REST says`, () => sameAsREST(server, page));
      await check(`${look.name}: the live page fits and is accessible`, () => fits(page));
      await check(`${look.name}: every page is reached by key, fits and is accessible`, async () => {
        for (const [key, ready] of [["2", "main[data-key=current] figure canvas"], ["3", "main[data-key=current] .alert-list, main[data-key=current] .empty"], ["4", "table.partitions tbody tr:nth-child(12)"]]) {
          await page.keyboard.press(key);
          await page.waitForSelector(ready);
          await fits(page);
        }
        await page.keyboard.press("1");
        await settled(page);
      });
      await check(`${look.name}: no error, no request to elsewhere`, () => assert.deepEqual(page.faults, []));
      await page.close();
    }
    await check("the first number needs two questions to the server, no more", () => states.firstNumbers(browser, server, Number(options.loads)));
    await check("without the live channel the page says so, and leads to what works", () => states.withoutLive(browser, server, fits));
    await check("widths between: tablets and small windows", () => states.widths(browser, server));
    const page = await browser.open(server.url);
    await settled(page);
    await check("everything together is under 150 kB, and nothing jumps", () => light(page));
    await check("the keyboard: theme, pause, help, chart", () => keyboard(page));
    await check("any tile can be put into the main chart, and shown as a table", () => mainChart(server, page));
    await check("a restarted server is found again, and what it has read meanwhile leaves no gap in the chart", () => restart(server, page));
    await pages.history(check, server, page, fits);
    await page.keyboard.press("1");
    await settled(page);
    await check("a chip narrows what has its key, and the rest says that it is not filtered", () => pages.chips(server, page, fits));
    await check("the comparison can be another week, or none", () => pages.comparison(page));
    await check("catching up, stale, quiet, faulted: bar and status line say it", () => states.freshness(server, page, fits));
    await check("the pipeline page: store, commits, definitions with their plan", () => pages.pipeline(server, page));
    await check("200 partitions, one that stands still, one that waits: each says why", () => pages.troubled(server, page, fits));
    await settled(page);
    await check("what a metric is stands beside it: for a mouse, the keyboard and a touch", () => pages.definitions(server, page));
    await check("a page that was asleep for an hour lacks nothing of it", () => states.asleep(server, page));
    await check("a page that is hidden asks for little, and motion can be switched off", () => pages.quiet(page));
    await page.close();
  } finally {
    await server.remove();
    rmSync(definitions);
  }
}

// sameAsREST compares at one sequence number and one watermark: it asks again when something has closed in between.
async function sameAsREST(server, page, points = 60) {
  const { metrics } = await server.get("/metrics");
  let difference = null;
  await until("page and REST are at the same windows", async () => {
    const shown = await page.evaluate(() => ({
      seq: Number(document.querySelector("main").dataset.seq),
      tiles: [...document.querySelectorAll(".tile-face")].map((e) => ({
        metric: e.dataset.metric, end: Number(e.dataset.window), currency: e.querySelector(".tile-currency")?.textContent.split(" ")[0] ?? null,
        value: [".sign", ".number", ".unit"].map((s) => e.querySelector(s)?.textContent ?? "").join("|"),
      })),
      lists: [...document.querySelectorAll(".list")].map((e) => ({
        metric: e.dataset.metric, end: Number(e.dataset.window),
        rows: [...e.querySelectorAll("li")].map((li) => [li.querySelector(".row-name").dataset.group, li.querySelector(".row-value").textContent]),
      })),
      funnels: [...document.querySelectorAll(".funnel")].map((e) => ({
        metric: e.dataset.metric, end: Number(e.dataset.window),
        steps: [...e.querySelectorAll("li")].map((li) => [li.querySelector(".step-name").title, li.querySelector(".number").textContent]),
      })),
      points: Number(document.querySelector("figure").dataset.points),
      sparks: [...document.querySelectorAll(".tile .spark-line")].map((e) => e.getAttribute("d").length),
    }));
    const latest = new Map();
    for (const one of [...shown.tiles, ...shown.lists, ...shown.funnels]) latest.set(one.metric, await server.get(`/metrics/${one.metric}/latest`));
    difference = compare(metrics, latest, shown) ?? (shown.points < points ? `the chart has ${shown.points} points` : null);
    return difference === null;
  }, 20_000).catch((error) => assert.fail(`${error.message}\n${difference}`));
}

// compare says where the page differs from REST, or null. What the page shows is read back, not recomputed.
function compare(metrics, latest, shown) {
  if (shown.tiles.length !== 7 || shown.lists.length !== 4) return `there are ${shown.tiles.length} tiles and ${shown.lists.length} lists`;
  for (const tile of shown.tiles) {
    const metric = metrics.find((m) => m.name === tile.metric);
    const rest = latest.get(tile.metric);
    if (rest.seq !== shown.seq) return `REST is at ${rest.seq}, the page at ${shown.seq}`;
    const key = metric.group_by[0];
    const row = rest.final.find((r) => !key || r.group[key] === tile.currency);
    const { sign, number, unit } = format.value(row?.value ?? null, metric.unit, { currency: tile.currency, estimate: metric.estimate });
    const want = `${row?.window_end_ms} ${sign}|${number}|${unit.length <= 3 ? unit : ""}`;
    if (`${tile.end} ${tile.value}` !== want) return `${tile.metric} shows ${tile.end} ${tile.value}, REST has ${want}`;
    if (number === format.NONE) return `${tile.metric} has no value`;
  }
  for (const list of shown.lists) {
    const metric = metrics.find((m) => m.name === list.metric);
    const key = metric.group_by[0];
    const rows = latest.get(list.metric).final
      .filter((r) => r.group[key] !== "(other)")
      .sort((a, b) => b.value - a.value || (a.group[key] < b.group[key] ? -1 : 1))
      .slice(0, list.rows.length)
      .map((r) => [r.group[key], format.value(r.value, metric.unit).number]);
    if (list.rows.length === 0) return `${list.metric} has no rows`;
    if (JSON.stringify(rows) !== JSON.stringify(list.rows)) return `${list.metric} shows ${JSON.stringify(list.rows)}, REST has ${JSON.stringify(rows)}`;
  }
  const [funnel] = shown.funnels;
  const [whole] = latest.get("conversion_rate").final;
  const steps = ["sessions", "converted"].map((name) => [name, format.value(whole.aggregates[name], "").number]);
  if (shown.funnels.length !== 1 || funnel.end !== whole.window_end_ms || JSON.stringify(funnel.steps) !== JSON.stringify(steps)) {
    return `the funnels are ${JSON.stringify(shown.funnels)}, REST has ${whole.window_end_ms} ${JSON.stringify(steps)}`;
  }
  if (shown.sparks.some((length) => length === 0)) return `sparklines have lengths ${shown.sparks}`;
  return null;
}

async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, "the page is wider than the window");
  await page.evaluate(axe); // not as a script tag: the page's policy forbids those
  await page.mouse.move(0, 0); // a tip that fades in or out has hardly any contrast
  const violations = await page.evaluate(async () => {
    const ends = (animation) => animation.effect.getComputedTiming().endTime !== Infinity;
    await Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
    const { violations } = await globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] });
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.any[0]?.message ?? ""}`));
  });
  assert.deepEqual(violations, []);
}

async function light(page) {
  const { bytes, shift } = await page.evaluate(async () => ({
    bytes: performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
      .filter((e) => !e.name.includes("/api/")).reduce((sum, e) => sum + e.encodedBodySize, 0),
    shift: await new Promise((resolve) => {
      new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, e) => sum + e.value, 0))).observe({ type: "layout-shift", buffered: true });
      setTimeout(() => resolve(0), 500);
    }),
  }));
  console.log(`        ${Math.round(bytes / 1000)} kB as sent, layout shift ${shift.toFixed(3)}`);
  assert.ok(bytes > 50_000 && bytes < 150_000, `${bytes} bytes`);
  assert.ok(shift < 0.05, `layout shift ${shift}`);
}

async function keyboard(page) {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme ?? null);
  await page.keyboard.press("t");
  assert.equal(await theme(), "dark");
  await page.reload();
  await settled(page);
  assert.equal(await theme(), "dark", "the theme is remembered");
  await page.keyboard.press("t");
  assert.equal(await theme(), null);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector(".freshness strong").textContent === "Paused");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector(".freshness strong").textContent !== "Paused");
  await page.keyboard.press("Space");
  await page.click('.tile-face[data-metric="active_users"]');
  await page.waitForSelector('figure[data-metric="active_users"]');
  assert.notEqual(await page.textContent(".freshness strong"), "Paused", "to choose is to want to see");
  await page.focus("body");
  await page.keyboard.press("?");
  assert.ok(await page.isVisible("dialog.help"));
  await page.keyboard.press("Escape");
  await page.focus(".plot");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector(".reading");
}

async function mainChart(server, page) {
  await page.click('.tile-face[data-metric="bounce_rate"]');
  await page.waitForSelector('figure[data-metric="bounce_rate"]');
  assert.match(page.url(), /metric=bounce_rate/);
  await page.click("figure .button.quiet");
  const cells = await page.$$eval(".table-box tbody tr", (rows) => rows.map((r) => r.cells[1].textContent).filter((t) => t !== "–"));
  const { final } = await server.get("/metrics/bounce_rate/latest");
  assert.ok(cells.includes(format.text(final[0].value, "ratio")), `${cells} has ${final[0].value}`);
  await page.click("figure .button.quiet");
}

async function restart(server, page) {
  await server.stop();
  await page.waitForFunction(() => document.querySelector(".freshness strong").textContent === "Disconnected");
  assert.ok(await page.$(".tile-face[data-window]"), "the last values stay");
  await server.start();
  await page.waitForFunction(() => !["Disconnected", "Connecting"].includes(document.querySelector(".freshness strong").textContent), null, { timeout: 30_000 });
  await sameAsREST(server, page, 3); // of the metric with a point a minute
  const { watermark_ms } = await server.get("/pipeline");
  await page.click('.tile-face[data-metric="page_views_per_second"]');
  await page.waitForSelector('figure[data-metric="page_views_per_second"]');
  // Another minute or so of traffic, read while nobody is connected.
  await server.stop();
  await page.waitForFunction(() => document.querySelector(".freshness strong").textContent === "Disconnected");
  await server.start();
  server.simulate(60_000);
  await states.noGap(server, page, watermark_ms);
}

// hostileText sends markup through every field that the page shows.
async function hostileText() {
  const definitions = join(tmpdir(), `tidemark-hostile-${process.pid}.yaml`);
  writeFileSync(definitions, hostile.definitions);
  const server = await Server.make(binary, "serve", ["--definitions", definitions]);
  const page = await browser.open(server.url);
  try {
    await check("before the first event the page says so, with a line to try", async () => {
      await page.waitForSelector(".nothing");
      assert.match(await page.textContent(".nothing"), /Nothing has arrived on events yet.*tidemark simulate/s);
      assert.deepEqual(await page.$$eval(".tile .number", (all) => [...new Set(all.map((e) => e.textContent))]), ["–"]);
    });
    await check("markup in events and definitions is shown as text", async () => {
      server.write(hostile.events());
      await page.waitForFunction(() => document.querySelectorAll('.list[data-metric="top_pages"] li').length >= 3, null, { timeout: 45_000 });
      const groups = await page.$$eval('.list[data-metric="top_pages"] .row-name', (all) => all.map((e) => e.textContent));
      for (const url of hostile.urls) assert.ok(groups.includes(url), `${JSON.stringify(groups)} has ${url}`);
      const countries = await page.$$eval('.list[data-metric="geographic_distribution"] .row-name', (all) => all.map((e) => e.textContent));
      assert.ok(countries.includes(hostile.script));
      assert.equal(await page.textContent('.list[data-metric="top_pages"] h2'), hostile.script);
      assert.equal(await page.$$eval("li a", (all) => all.length), 0, "event text is no link");
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(over, 0, "a long address must not widen the page");
    });
    await check("alerts are counted, listed the worst first, and open in place, all of it as text", () => alertsOf(server, page));
    await check("the page of alerts has what REST has, and opens one with all that is known of it", () => pages.alerts(server, page, fits));
    await check("an alert storm: 500 are counted, listed in pages, and the page stays quick", () => pages.storm(server, page, fits));
    await check("hostile groups and titles stay text in history and in the address", () => pages.hostileHistory(page, fits));
    await check("dead letters are shown as text, without addresses of visitors", async () => {
      await page.keyboard.press("4");
      await page.waitForSelector("table.letters tbody tr");
      const value = await page.textContent("table.letters tbody tr .value");
      assert.ok(value.includes("<script>") && !value.includes("203.0.113.9"), value);
    });
    await check("numbers that are very large, very small or negative are shown, and drawn", () => states.extremes(server, page, fits));
    await check("nothing of that has run", async () => {
      assert.equal(await page.evaluate(() => globalThis.owned), undefined);
      assert.equal(await page.$$eval("#app script, #app img, #app svg[onload]", (all) => all.length), 0);
      assert.deepEqual(page.faults, []);
    });
  } finally {
    await page.close();
    await server.remove();
    rmSync(definitions);
  }
}

// alertsOf compares the list of alerts with REST, once the brief one is over.
async function alertsOf(server, page) {
  await until("the brief alert is over", async () => (await server.get("/alerts?state=resolved")).alerts.length === 1);
  const { alerts: firing } = await server.get("/alerts?state=firing");
  assert.equal(firing.length, hostile.urls.length);
  await page.waitForFunction(() => document.querySelectorAll(".alert.over").length === 1);
  assert.equal(await page.textContent('.tab[data-page="alerts"] .count'), `${firing.length} firing`);
  const shown = await page.$$eval(".alert", (all) => all.map((e) => [e.dataset.alert, e.querySelector(".alert-title").textContent]));
  for (const a of firing) assert.ok(shown.slice(0, -1).some(([id, title]) => id === a.id && title === `critical: ${a.title}`), `${JSON.stringify(shown)} has ${a.title}`);
  assert.equal(shown.at(-1)[1], "low: Over at once");

  const [first] = shown;
  await page.click(`[data-alert="${first[0]}"] .alert-face`);
  const evidence = await page.textContent(`[data-alert="${first[0]}"] .evidence`);
  const a = firing.find((one) => one.id === first[0]);
  for (const said of [a.description, a.group.url, a.pattern_matched, a.recommended_action, "hot_pages"]) assert.ok(evidence.includes(said), `${evidence} has ${said}`);
  await fits(page);
  await page.click(`[data-alert="${first[0]}"] .alert-face`);
  assert.equal(await page.$(".evidence"), null);

  await server.stop();
  await page.waitForFunction(() => document.querySelector(".freshness strong").textContent === "Disconnected");
  await server.start();
  await page.waitForFunction(() => !["Disconnected", "Connecting"].includes(document.querySelector(".freshness strong").textContent), null, { timeout: 30_000 });
  server.write(hostile.events("/after-the-restart"));
  await page.waitForFunction((n) => document.querySelectorAll(".alert:not(.over)").length === n, firing.length + 1, { timeout: 45_000 });
  page.faults = page.faults.filter((f) => !/WebSocket|ERR_CONNECTION_REFUSED|Failed to (load|fetch)/.test(f)); // what a server that is away makes
}
