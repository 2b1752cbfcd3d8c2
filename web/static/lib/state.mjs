import { batch, effect, signal } from "../vendor/signals.mjs";
import { PERIODS } from "./address.mjs";
import { Alerts } from "./alerts.mjs";
import { Board } from "./board.mjs";
import { timeLeft } from "./freshness.mjs";
import { LiveClient } from "./live.mjs";
import { Log } from "./log.mjs";
import * as prefs from "./prefs.mjs";
import { clockAhead, get, history } from "./rest.mjs";
import { LiveData } from "./view.mjs";

// The page's data, from the server to signals that the parts read. Three subscriptions on one connection: "tiles" are the
// metrics with a line, backfilled; "groups" are those that are split, of which only the last windows are needed; "alerts"
// is the log of alerts.

export const metrics = signal(null); // of /metrics, null until answered
export const view = signal(null); // what LiveData made of the last frame
export const connection = signal({ state: "connecting", retryAt: 0, problem: null });
export const alerts = signal(null); // what Alerts makes of all that is known; null until REST has answered
export const alertsBeat = signal(0); // moves when alerts have changed, at most five times a second
export const announced = signal(""); // of the last alert that began to fire while the page was open
export const pipeline = signal(null); // {body, at}
export const catchUp = signal(null); // ms left, or null
export const trouble = signal(null); // why REST does not answer
export const now = signal(Date.now());
export const pausedAt = signal(null);

const REFRESH = 30_000; // how often recent points are read again: late events correct them
const RECENT = 3 * 60_000; // how far back corrections reach, allowed lateness and some more
const VISIBLE_HZ = 2;
const HIDDEN_HZ = 0.1;

let live = null; // LiveData
let numbers = false; // the first numbers are there
let scheduled = false;
const filling = new Map(); // series whose history is being read -> from when on it may miss something; undefined: nothing
let known = null; // Alerts; not shown before it is loaded

const client = new LiveClient({
  open: () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`, "tidemark.v1"),
  timers: { now: Date.now, set: (f, ms) => setTimeout(f, ms), clear: (timer) => clearTimeout(timer) },
  random: Math.random,
  changed,
});

export function start() {
  client.watch("alerts", { channel: "alerts" }, new Log());
  client.start();
  loadMetrics();
  pollPipeline();
  setInterval(() => (now.value = Date.now()), 1000);
  setInterval(refresh, REFRESH);
  addEventListener("online", () => client.retryNow());
  document.addEventListener("visibilitychange", () => {
    watch();
    if (!document.hidden) {
      client.retryNow();
      pollPipeline();
    }
  });
  effect(() => {
    prefs.period.value;
    watch();
  });
  effect(() => {
    prefs.selected.value;
    prefs.currency.value;
    prefs.period.value;
    prefs.compare.value;
    prefs.chips.value;
    if (prefs.paused.peek()) prefs.paused.value = false; // to choose is to want to see
    else publish();
  });
  effect(() => {
    pausedAt.value = prefs.paused.value ? Date.now() : null;
    if (!prefs.paused.value) publish();
  });
}

async function loadMetrics() {
  try {
    const answer = await get("/metrics");
    live = new LiveData(answer.metrics);
    batch(() => {
      metrics.value = answer.metrics;
      trouble.value = null;
    });
    watch();
  } catch (error) {
    trouble.value = error;
    setTimeout(loadMetrics, 1000);
  }
}

const currentPeriod = () => PERIODS.live[prefs.period.peek()];

// watch asks for what the page needs as it is now: first the numbers alone, which the server has at hand, then also the
// lines, which it has to compute. A hidden page needs little, and no lines; one that comes back starts anew, so that there is
// no hole.
function watch() {
  if (!live) return;
  const max_hz = document.hidden ? HIDDEN_HZ : VISIBLE_HZ;
  const longest = Math.max(0, ...live.tiles.map((m) => m.size_ms));
  const backfill = `${Math.ceil((2 * currentPeriod() + longest) / 60_000) + 1}m`;
  if (live.grouped.length > 0) client.watch("groups", { metrics: live.grouped.map((m) => m.name), max_hz });
  if (live.plain.length === 0) return;
  client.watch("tiles", { metrics: live.plain.map((m) => m.name), max_hz, ...(numbers && !document.hidden && { backfill }) });
}

function changed(name, op) {
  if (name === null || op === undefined) {
    connection.value = { state: client.state, retryAt: client.retryAt, problem: client.problem };
  }
  if (name === "alerts") return alertsChanged(op);
  if (name === null || !live) return;
  if (op === "snapshot" && name === "tiles") {
    live.takeHistory(client.board("tiles").history);
    for (const m of live.split) fill({ metric: m, group: live.groupOf(m), from: null });
    if (!numbers) {
      numbers = true;
      watch();
    }
  }
  if (!scheduled) {
    scheduled = true;
    queueMicrotask(publish);
  }
}

// alertsChanged: the log says what changes from where it began, REST what was before. After a reset that is read again.
function alertsChanged(op) {
  if (op === "reset" || (op === "ack" && known === null)) {
    known = new Alerts();
    loadAlerts(known);
  }
  const entries = client.board("alerts").take();
  if (entries.length === 0) return;
  known.take(entries);
  fresh = entries.findLast((a) => a.state === "firing") ?? fresh;
  settling ??= setTimeout(settle, 200);
}

let fresh = null; // the last that began to fire and has not been announced
let settling = null; // timer

// settle shows what has become of the alerts. In a storm entries come one by one, hundreds within a second.
function settle() {
  settling = null;
  batch(() => {
    if (alerts.peek() !== null) alerts.value = known.picture();
    if (fresh) announced.value = `Alert, ${fresh.severity.toLowerCase()}: ${fresh.title}`;
    if (!prefs.paused.peek()) alertsBeat.value++;
  });
  fresh = null;
}

// loadAlerts reads what fires, and what was resolved not long ago.
async function loadAlerts(into) {
  try {
    into.take((await get("/alerts?state=resolved&limit=20")).alerts);
    let next = "";
    do {
      const page = await get(`/alerts?state=firing&limit=1000${next && `&cursor=${encodeURIComponent(next)}`}`);
      into.take(page.alerts);
      next = page.next;
    } while (next);
    if (into !== known) return;
    batch(() => {
      alerts.value = into.picture();
      alertsBeat.value++;
    });
  } catch (error) {
    if (error.status === undefined) throw error;
    if (into === known) setTimeout(() => into === known && loadAlerts(into), 2000);
  }
}

const nothing = new Board();

// publish makes the picture that is shown, unless the page stands still.
function publish() {
  scheduled = false;
  const tiles = client.board("tiles") ?? nothing;
  const groups = client.board("groups") ?? nothing;
  if (!live || (tiles.seq === null && groups.seq === null && view.peek() === null)) return;
  const chips = prefs.chips.peek();
  const compare = prefs.compare.peek();
  for (const hole of live.take(tiles, groups, { currency: prefs.currency.peek(), chips })) fill(hole);
  if (tiles.watermark !== null) {
    live.forget(tiles.watermark, currentPeriod());
    if (compare === "week") for (const lack of live.weekAgo(tiles.watermark, currentPeriod())) fillWeek(lack);
  }
  if (prefs.paused.peek() && view.peek() !== null) return;
  view.value = live.view(tiles, groups, { period: currentPeriod(), selected: prefs.selected.peek(), compare, chips, now: Date.now() + clockAhead });
}

// fill reads what a series lacks from a time on. While one answer is awaited no other is asked for: what it may miss is asked
// for after it.
async function fill({ metric, group, from }) {
  const series = live.series(metric.name); // another one when another group is picked meanwhile
  if (filling.has(series)) {
    const missed = filling.get(series);
    filling.set(series, from === null || missed === null ? null : Math.min(from, missed ?? Infinity));
    return;
  }
  filling.set(series, undefined);
  const again = (start) => live.series(metric.name) === series && fill({ metric, group, from: start });
  try {
    const to = Math.max(Date.now() + clockAhead, ...["tiles", "groups"].map((name) => client.board(name)?.watermark ?? 0)) + 60_000; // clocks differ
    const start = from === null ? to - 2 * currentPeriod() - metric.size_ms - 120_000 : from - metric.size_ms;
    const answer = await history(metric.name, { from: start, to, group, limit: 1 });
    if (answer.series.length > 0) series.fill(answer.series[0].points, answer.step_ms);
    publish();
  } catch (error) {
    if (error.status === undefined) throw error; // ours, not the server's
    setTimeout(again, 5000, from);
  } finally {
    const missed = filling.get(series);
    filling.delete(series);
    if (missed !== undefined) again(missed);
  }
}

async function fillWeek({ metric, group, from, to, series }) {
  try {
    const answer = await history(metric.name, { from, to, group, limit: 1 });
    if (answer.series.length > 0) series.fill(answer.series[0].points, answer.step_ms);
    publish();
  } catch (error) {
    if (error.status === undefined) throw error;
    setTimeout(() => live.forgetWeek(metric), 5000);
  }
}

// refresh reads the last minutes again. The live channel corrects the last window of a metric only.
function refresh() {
  if (!live || document.hidden || client.state !== "open") return;
  for (const metric of live.charted) {
    const last = live.series(metric.name).last;
    const group = live.groupOf(metric);
    if (last !== null && !Object.values(group).includes(null)) fill({ metric, group, from: last - RECENT });
  }
}

let pollTimer = null;

async function pollPipeline() {
  clearTimeout(pollTimer);
  let wait = 2000;
  try {
    const body = await get("/pipeline");
    const look = { body, at: Date.now() };
    batch(() => {
      catchUp.value = timeLeft(pipeline.peek(), look);
      pipeline.value = look;
      trouble.value = null;
    });
  } catch (error) {
    trouble.value = error;
    if (error.status === undefined) throw error;
  }
  if (document.hidden) wait = 10_000;
  clearTimeout(pollTimer); // another poll may have begun meanwhile
  pollTimer = setTimeout(pollPipeline, wait);
}
