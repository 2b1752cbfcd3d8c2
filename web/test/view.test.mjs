import assert from "node:assert/strict";
import { test } from "node:test";
import { Board } from "../static/lib/board.mjs";
import { arrange, pickCurrency, ranked, sense, steps } from "../static/lib/catalogue.mjs";
import { course } from "../static/lib/course.mjs";
import { freshness, timeLeft, verdictTone } from "../static/lib/freshness.mjs";
import { fields, LateTally, preview, Tally } from "../static/lib/letters.mjs";
import { chartLines, compareShift, Series } from "../static/lib/series.mjs";
import { LiveData } from "../static/lib/view.mjs";

const metric = (name, more = {}) => ({
  name, type: "CUSTOM_METRIC", title: name, description: "", unit: "1/s", kind: "tumbling", size_ms: 5000, slide_ms: 5000,
  group_by: [], aggregates: [], formula: "x", estimate: false, relative_error: 0, ...more,
});
const row = (name, end, value, { kind = "final", group = {}, count = 1, size = 5000 } = {}) => ({
  key: `${name}:${end}:${JSON.stringify(group)}`, metric: name, group, window_start_ms: end - size, window_end_ms: end, kind, value, count, aggregates: {},
});

function board(watermark, rows, history = []) {
  const b = new Board();
  b.apply({ op: "snapshot", seq: 1, watermark_ms: watermark, rows, history });
  return b;
}

test("metrics find their places by type and by how they are split", () => {
  const places = arrange([
    metric("load", { unit: "ms" }),
    metric("extra"),
    metric("bounce", { type: "BOUNCE_RATE", unit: "ratio" }),
    metric("views", { type: "PAGE_VIEWS_PER_SECOND" }),
    metric("revenue", { type: "REVENUE_PER_USER", unit: "money/visitor", group_by: ["currency"] }),
    metric("pages", { type: "TOP_PAGES", unit: "views", group_by: ["url"] }),
    metric("events", { group_by: ["event_type"] }),
    metric("both", { group_by: ["a", "b"] }),
  ]);
  assert.deepEqual(places.tiles.map((m) => m.name), ["views", "bounce", "revenue", "extra"]);
  assert.equal(places.beside.name, "load");
  assert.deepEqual(places.lists.map((m) => m.name), ["pages", "events"]);
});

test("what is good is known of the types of the contract, and of times", () => {
  assert.equal(sense(metric("b", { type: "BOUNCE_RATE" })), "lower");
  assert.equal(sense(metric("l", { unit: "ms" })), "lower");
  assert.equal(sense(metric("c", { type: "CONVERSION_RATE" })), "higher");
  assert.equal(sense(metric("x")), "neutral");
});

test("the currency is the one asked for, else the one shown, else the one with the most conversions", () => {
  const rows = [["(none)", 99], ["EUR", 5], ["USD", 7]].map(([currency, count]) => row("r", 5000, 1, { group: { currency }, count }));
  assert.equal(pickCurrency(rows, "currency", null, null), "USD");
  assert.equal(pickCurrency(rows, "currency", null, "EUR"), "EUR");
  assert.equal(pickCurrency(rows, "currency", "JPY", "EUR"), "JPY");
  assert.equal(pickCurrency([], "currency", null, "EUR"), "EUR");
  assert.equal(pickCurrency([], "currency", null, null), null);
});

test("a ranking has shares of the whole window, and sums up the rest", () => {
  const pages = metric("pages", { unit: "views", group_by: ["url"] });
  const rows = [["/b", 20], ["/a", 20], ["(other)", 40], ["/c", 15], ["/d", 5]].map(([url, v]) => row("pages", 60_000, v, { group: { url } }));
  const list = ranked(pages, rows, 2);
  assert.deepEqual(list.items, [{ group: "/a", value: 20 }, { group: "/b", value: 20 }]);
  assert.deepEqual(list.rest, { groups: 2, folded: true, value: 60 });
  assert.equal(list.total, 100);
  assert.deepEqual(ranked({ ...pages, unit: "ratio" }, rows, 2).rest, { groups: 2, folded: true, value: null });
  assert.deepEqual(ranked(pages, [], 2), { items: [], rest: null, total: 0, start: null, end: null });
});

test("a board's finals are those of the newest closed window", () => {
  const b = board(60_000, [row("p", 30_000, 1, { group: { url: "old" } }), row("p", 60_000, 2, { group: { url: "new" } }), row("p", 65_000, 3, { kind: "provisional" })]);
  assert.deepEqual(b.finals("p").map((r) => r.group.url), ["new"]);
  assert.deepEqual(b.open("p").map((r) => r.value), [3]);
  assert.deepEqual(b.finals("q"), []);
});

test("a series knows its holes, and its exact means", () => {
  const s = new Series(5000, 5000);
  s.fill([[0, 1], [5000, 3]], 5000);
  assert.equal(s.last, 10_000);
  assert.equal(s.add(row("m", 15_000, 5)), null);
  assert.equal(s.add(row("m", 30_000, 7)), 15_000);
  assert.equal(s.mean(0, 15_000), 3);
  assert.equal(s.mean(0, 30_000), null);
  assert.deepEqual(s.line(8000, 30_000), { times: [10_000, 15_000, 20_000, 25_000, 30_000], values: [3, 5, null, null, 7] });
  s.forget(15_000);
  assert.equal(s.first, 15_000);
});

test("chart lines: closed up to the watermark, open beyond it, and the comparison shifted", () => {
  const s = new Series(5000, 5000);
  for (let end = 5000; end <= 60_000; end += 5000) s.add(row("m", end, end / 1000));
  const lines = chartLines(s, [row("m", 65_000, 2, { kind: "provisional" })], { period: 30_000, watermark: 61_000, before: s, shift: compareShift("previous", 30_000, 5000), now: 69_000 });
  assert.deepEqual(lines.times, [35_000, 40_000, 45_000, 50_000, 55_000, 60_000, 65_000]);
  assert.deepEqual(lines.closed, [35, 40, 45, 50, 55, 60, null]);
  assert.deepEqual(lines.open, [null, null, null, null, null, 60, 2]);
  const begun = [row("m", 65_000, 2, { kind: "provisional" }), row("m", 70_000, 0.2, { kind: "provisional" })];
  assert.deepEqual(chartLines(s, begun, { period: 30_000, watermark: 61_000, before: s, shift: null, now: 69_000 }).open, lines.open, "a window that has just begun is not drawn");
  assert.deepEqual(lines.before, [5, 10, 15, 20, 25, 30, 35]);
  assert.ok(lines.right > 61_000);
});

test("a view has a tile's last closed value, and no number where there is none", () => {
  const revenue = metric("revenue", { type: "REVENUE_PER_USER", unit: "money/visitor", group_by: ["currency"] });
  const data = new LiveData([metric("views", { type: "PAGE_VIEWS_PER_SECOND" }), revenue]);
  const tiles = board(11_000, [row("views", 10_000, 4), row("views", 15_000, 9, { kind: "provisional" })]);
  const groups = board(11_000, []);
  assert.deepEqual(data.take(tiles, groups), []);
  const v = data.view(tiles, groups, { period: 900_000, selected: null });
  assert.deepEqual(v.tiles.map((t) => [t.metric.name, t.value, t.change]), [["views", 4, null], ["revenue", null, null]]);
  assert.equal(v.chart.metric.name, "views");

  const paid = board(11_000, [row("revenue", 10_000, 2, { group: { currency: "EUR" } })]);
  assert.deepEqual(data.take(tiles, paid).map((h) => [h.group, h.from]), [[{ currency: "EUR" }, null]]);
  assert.deepEqual(data.view(tiles, paid, { period: 900_000, selected: "revenue" }).tiles[1].value, 2);
  assert.equal(data.view(tiles, paid, { period: 900_000, selected: "revenue" }).chart.currency, "EUR");
});

test("a short rate is compared by the minute, and only with a whole one", () => {
  const data = new LiveData([metric("views", { type: "PAGE_VIEWS_PER_SECOND" })]);
  const points = [];
  for (let start = 0; start < 1_000_000; start += 5000) points.push([start, start < 500_000 ? 100 : 110]);
  data.takeHistory([{ metric: "views", step_ms: 5000, points }]);
  const tiles = board(1_000_000, [row("views", 1_000_000, 150)]);
  data.take(tiles, new Board());
  const [tile] = data.view(tiles, new Board(), { period: 900_000, selected: null }).tiles;
  assert.equal(tile.before, 100);
  assert.equal(tile.change.direction, "up");
  assert.equal(tile.change.sense, "better");
  assert.equal(data.view(tiles, new Board(), { period: 3_600_000, selected: null }).tiles[0].change, null);
});

test("how fresh the page is", () => {
  const open = { state: "open", retryAt: 0, problem: null };
  const partition = { lag: 0, idle: false };
  const running = { state: "running", verdict: "Healthy", partitions: [partition] };
  const base = { connection: open, pipeline: running, watermark: 95_000, now: 100_000, pausedAt: null };
  const say = (more) => {
    const { tone, title, detail } = freshness({ ...base, ...more });
    return `${tone}: ${title}, ${detail}`;
  };
  assert.equal(say({}), "live: Live, data 5.0 s old");
  assert.equal(say({ now: 40_000, ahead: 60_000 }), "live: Live, data 5.0 s old");
  assert.equal(say({ watermark: null }), "still: Waiting, no events yet");
  assert.equal(say({ pipeline: null }), "live: Live, data 5.0 s old");
  assert.match(say({ now: 200_000 }), /^busy: Stale, since \d\d:\d\d$/);
  assert.equal(say({ pipeline: { ...running, partitions: [{ lag: 0, idle: true }] } }), "still: Quiet, no events are arriving");
  assert.equal(say({ pipeline: { ...running, state: "catching_up", partitions: [{ lag: 2_100_000 }] }, left: 40_000 }), "busy: Catching up, 2.1 M behind, 40 s left");
  assert.equal(say({ pipeline: { ...running, state: "catching_up", held: "the disk is nearly full" } }), "bad: Held, the disk is nearly full");
  assert.equal(say({ pipeline: { ...running, state: "faulted", verdict: "Partition 7 stands still" } }), "bad: Faulted, Partition 7 stands still");
  assert.equal(say({ connection: { state: "waiting", retryAt: 103_200 } }), "bad: Disconnected, retrying in 4 s");
  assert.equal(say({ connection: { state: "stopped", problem: { title: "The session has ended", status: 401 } } }), "bad: The session has ended, log in again");
});

test("a verdict is green only when all is well", () => {
  assert.equal(verdictTone({ state: "running", verdict: "Healthy: all partitions are idle" }), "good");
  assert.equal(verdictTone({ state: "catching_up", verdict: "No records are taken", held: "the disk is nearly full" }), "bad");
  assert.equal(verdictTone({ state: "running", verdict: "Partition 3 waits for an open transaction" }), "busy");
  assert.equal(verdictTone({ state: "faulted", verdict: "Partition 3 stands still" }), "bad");
  assert.equal(verdictTone({ state: "starting", verdict: "Starting" }), "note");
});

test("time left follows from two looks at the lag", () => {
  const look = (at, lag) => ({ at, body: { partitions: [{ lag }] } });
  assert.equal(timeLeft(look(0, 1000), look(1000, 800)), 4000);
  assert.equal(timeLeft(look(0, 800), look(1000, 800)), null);
  assert.equal(timeLeft(null, look(1000, 800)), null);
});

test("dead letters: tallied by reason, shown as text where they are text", () => {
  const tally = new Tally();
  tally.add([1, 2, 3].map((seq) => ({ seq, at_ms: seq, dead_letter: { reason: seq === 2 ? "b" : "a", value_base64: "" } })));
  assert.deepEqual([...tally.reasons], [["a", 2], ["b", 1]]);
  assert.deepEqual([tally.after, tally.samples[0].seq], [3, 3]);
  assert.deepEqual(preview(btoa('{"a":1,"ipAddress": "203.0.113.7"}')), { text: '{"a":1,"ipAddress": "…"}', kind: "text" });
  assert.deepEqual(preview(btoa('{"ipAddress":{"string":"203.0.113.7"}}')).text, '{"ipAddress":{"string":"…"}}');
  assert.deepEqual(preview(btoa("\x00\xff")), { text: "00 ff", kind: "bytes" });
  assert.deepEqual(preview(""), { text: "empty", kind: "none" });
  assert.deepEqual(preview(btoa("\x00Hfcad-61d\x01\x02/products\x00\xff203.0.113.7\x00ab\x002001:db8::1:7")), { text: "Hfcad-61d · /products · … · …", kind: "runs" });
  assert.equal(fields({ "pageViewData.url": "/a", timestamp: 5 }), "url /a · timestamp 5");
});

test("a funnel has its steps in the order of their size, each as a part of the first and of the one before", () => {
  const checkout = metric("checkout", { funnel: ["bought", "cart", "seen"] });
  const closed = { ...row("checkout", 60_000, 0.1), aggregates: { bought: 20, cart: 80, seen: 200, other: 7 } };
  assert.deepEqual(steps(checkout, closed), [
    { name: "seen", value: 200, ofFirst: 1, before: null, ofBefore: null },
    { name: "cart", value: 80, ofFirst: 0.4, before: null, ofBefore: null }, // the one before is the first
    { name: "bought", value: 20, ofFirst: 0.1, before: "cart", ofBefore: 0.25 },
  ]);
  assert.deepEqual(steps(checkout, null), []);
  const none = { ...closed, aggregates: { bought: 0, cart: 0, seen: 0 } };
  assert.deepEqual(steps(checkout, none).map((s) => s.ofFirst), [null, null, null], "of nothing there is no part");
  assert.deepEqual(arrange([checkout, metric("m", { funnel: [] })]).funnels.map((m) => m.name), ["checkout"]);
  const data = new LiveData([checkout]);
  const view = data.view(board(60_000, [closed]), new Board(), { period: 900_000, selected: null, chips: { country: "Japan" } });
  assert.deepEqual(view.funnels.map((f) => [f.metric.name, f.steps.length, f.start, f.end, f.filter]), [["checkout", 3, 55_000, 60_000, "not filtered"]]);
});

test("commits are lines at equal distances, without the step that is still being filled", () => {
  const lines = course([[10_000, 20, 4000, 9], [30_000, 10, 500, 4], [40_000, 1, 1, 1]], 10_000);
  assert.deepEqual(lines, { longest: [9, null, 4], size: [200, null, 50], rate: [2, 0, 1] });
  assert.deepEqual(course([], 10_000), { longest: [], size: [], rate: [] });
  assert.deepEqual(course([[0, 5, 50, 1]], 10_000).rate, [0.5]);
  assert.equal(course([[0, 1, 1, 1], [86_400_000, 1, 1, 1], [86_410_000, 1, 1, 1]], 10_000).rate.length, 60, "a night without commits");
});

test("a chip narrows the metrics that have its key to one group, which then has a series", () => {
  const places = metric("places", { unit: "sessions", group_by: ["country"] });
  const pages = metric("pages", { unit: "views", group_by: ["url"] });
  const data = new LiveData([metric("views", { type: "PAGE_VIEWS_PER_SECOND" }), places, pages]);
  const tiles = board(11_000, [row("views", 10_000, 4)]);
  const rows = [["Japan", 1], ["Chad", 3]].map(([country, v]) => row("places", 10_000, v, { group: { country } }));
  const groups = board(11_000, [...rows, row("pages", 10_000, 7, { group: { url: "/" } })]);
  const chips = { country: "Japan" };
  const look = { period: 900_000, selected: "places", chips };
  assert.deepEqual(data.take(tiles, groups, { chips }).map((h) => [h.metric.name, h.group, h.from]), [["places", { country: "Japan" }, null]]);
  assert.deepEqual(data.take(tiles, groups, { chips }), [], "a hole is told once");
  const v = data.view(tiles, groups, look);
  assert.deepEqual(v.tiles.map((t) => t.filter), ["not filtered"]);
  assert.deepEqual(v.lists.map((l) => [l.metric.name, l.filter, l.items]), [
    ["pages", "not filtered", [{ group: "/", value: 7 }]],
    ["places", "filtered", [{ group: "Japan", value: 1 }]],
  ]);
  assert.equal(v.lists[1].total, 4, "a share is still that of the whole");
  assert.deepEqual([v.chart.metric.name, v.chart.group, v.chart.closed.filter((c) => c !== null)], ["places", { country: "Japan" }, [1]]);

  const other = data.take(tiles, groups, { chips: { country: "Chad" } });
  assert.deepEqual(other.map((h) => h.group), [{ country: "Chad" }], "another group is another series");
  assert.deepEqual(data.view(tiles, groups, { ...look, chips: { country: "Chad" } }).chart.closed.filter((c) => c !== null), [3]);
  data.take(tiles, groups);
  const bare = data.view(tiles, groups, { ...look, chips: {} });
  assert.equal(bare.chart.metric.name, "views", "what the chip brought is gone with it");
  assert.deepEqual(bare.lists.map((l) => [l.filter, l.items.length]), [["none", 1], ["none", 2]]);
});

test("the week before is asked for once, and compared with", () => {
  const data = new LiveData([metric("views", { type: "PAGE_VIEWS_PER_SECOND", size_ms: 60_000, slide_ms: 60_000 })]);
  const now = 1_800_000_000_000;
  const week = 7 * 86_400_000;
  const tiles = board(now, [row("views", now, 4, { size: 60_000 })]);
  data.take(tiles, new Board());
  const [lack, ...more] = data.weekAgo(now, 900_000);
  assert.equal(more.length, 0);
  assert.ok(lack.from <= now - week - 900_000 && lack.to > now - week, "the period and what is open now");
  assert.deepEqual(data.weekAgo(now + 60_000, 900_000), []);
  assert.equal(data.weekAgo(now, 3_600_000).length, 1, "a longer period needs more");
  const again = data.weekAgo(now + 3_600_000, 3_600_000);
  assert.equal(again.length, 1, "time has passed what was read ahead");
  data.forgetWeek(again[0].metric);
  const [last] = data.weekAgo(now, 900_000);
  last.series.fill([[now - week - 60_000, 2]], 60_000);
  const look = { period: 900_000, selected: null };
  const compared = data.view(tiles, new Board(), { ...look, compare: "week" });
  assert.deepEqual([compared.tiles[0].before, compared.tiles[0].change.direction, compared.tiles[0].earlier], [2, "up", "a week earlier"]);
  assert.ok(compared.chart.before.includes(2));
  const alone = data.view(tiles, new Board(), { ...look, compare: "none" });
  assert.deepEqual([alone.tiles[0].change, alone.chart.earlier, alone.chart.before.every((b) => b === null)], [null, null, true]);
});

test("late records: tallied by definition, with the newest samples", () => {
  const tally = new LateTally();
  const late = (count, by_definition, offset) => ({ topic: "events", partition: 3, count, by_definition, samples: [{ offset, event_time_ms: 5 }] });
  tally.add([{ seq: 7, at_ms: 10, late: late(2, { a: 2, b: 1 }, 1) }, { seq: 9, at_ms: 20, late: late(1, { b: 1 }, 8) }]);
  assert.deepEqual([...tally.reasons], [["a", 2], ["b", 2]]);
  assert.deepEqual([tally.after, tally.read], [9, 3]);
  assert.deepEqual(tally.samples.map((s) => [s.partition, s.offset, s.at_ms, s.refused]), [[3, 8, 20, "b"], [3, 1, 10, "a, b"]]);
  tally.add([{ seq: 10, at_ms: 30, late: { ...late(50, { a: 50 }, 0), samples: Array.from({ length: 30 }, (_, offset) => ({ offset, event_time_ms: 1 })) } }]);
  assert.equal(tally.samples.length, 20);
});
