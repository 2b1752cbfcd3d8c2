import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, read, write } from "../static/lib/address.mjs";
import { chart, frame, groupOf, query, steps } from "../static/lib/range.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const metric = (more = {}) => ({
  name: "m", unit: "1/s", kind: "tumbling", size_ms: 5000, slide_ms: 5000, pane_ms: 5000, group_by: [], ...more,
});
const choice = (more = {}) => ({ ...DEFAULTS.history, ...more });

test("an address holds what differs from how a page starts, and comes back as it was", () => {
  assert.equal(write("history", DEFAULTS.history), "#history");
  const places = [
    ["live", { ...DEFAULTS.live, metric: "a", period: "1h", compare: "week", group: { url: "/?a=1&group.b=2#c", country: "(none)" } }],
    ["history", choice({ metric: "top pages", from: 1000, to: 2000, step: 60_000, compare: "none", view: "table", group: { url: "<script>" } })],
    ["alerts", { ...DEFAULTS.alerts, state: "firing", severity: ["HIGH", "LOW"], type: "FRAUD_DETECTED", cursor: "c=", id: "x/y" }],
    ["pipeline", {}],
  ];
  for (const [page, chosen] of places) assert.deepEqual(read(write(page, chosen)), { page, choice: chosen });
});

test("what an address says that is not allowed is as if it did not say it", () => {
  assert.deepEqual(read("#nowhere?period=1h"), { page: "live", choice: { ...DEFAULTS.live, period: "1h" } });
  assert.deepEqual(read("#history?period=2y&from=abc&step=-5&compare=week&group.=x").choice, DEFAULTS.history);
  assert.deepEqual(read("#history?from=2000&to=1000").choice, DEFAULTS.history, "a range that ends before it begins");
  assert.deepEqual(read("#alerts?severity=HIGH,SILLY&state=gone").choice, { ...DEFAULTS.alerts, severity: ["HIGH"] });
});

test("steps are multiples of the pane that make neither too few points nor too many", () => {
  for (const m of [metric(), metric({ pane_ms: 10_000 }), metric({ pane_ms: 60_000 })]) {
    for (const length of [HOUR, 24 * HOUR, 30 * 24 * HOUR]) {
      for (const step of steps(m, length)) {
        assert.equal(step % m.pane_ms, 0);
        assert.ok(length / step >= 2 && length / step <= 3000);
      }
    }
  }
  assert.deepEqual(steps(metric({ pane_ms: 7000 }), HOUR).filter((s) => s % 7000), []);
});

test("a frame has the metric's own windows while they are few, else a step that is no shorter than they are", () => {
  const now = 1_800_000_000_000 + 1234;
  const short = frame(metric(), choice({ period: "1h" }), now);
  assert.deepEqual([short.step, short.unit, short.size, short.shift], [null, 5000, 5000, HOUR]);
  assert.equal(short.from % 5000, 0);
  const day = frame(metric(), choice({ period: "24h" }), now);
  assert.deepEqual([day.step, day.shift, day.fixed], [5 * MINUTE, 24 * HOUR, false]);
  const sliding = metric({ kind: "sliding", size_ms: 5 * MINUTE, slide_ms: 10_000, pane_ms: 10_000 });
  assert.ok(frame(sliding, choice({ period: "6h" }), now).step >= 5 * MINUTE);
  assert.equal(frame(metric(), choice({ period: "24h", step: HOUR }), now).step, HOUR);
  assert.equal(frame(metric(), choice({ period: "30d", step: 5000 }), now).step, 3 * HOUR, "a step that makes too many points is no choice");
});

test("a range of one's own begins and ends at whole steps, and is compared with as long a time before it", () => {
  const f = frame(metric(), choice({ from: 61_000, to: 61_000 + HOUR }), 1e12);
  assert.deepEqual([f.from, f.to, f.fixed], [60_000, 65_000 + HOUR, true]);
  assert.equal(f.shift % f.unit, 0);
  assert.ok(f.shift >= f.to - f.from);
  assert.equal(query(f, { shift: f.shift, group: { a: "b c" }, limit: 1 }).toString(), `from=${f.from - f.shift}&to=${f.to - f.shift}&group.a=b+c&limit=1`);
  assert.match(query({ from: 0, to: 1, step: 60_000 }).toString(), /step=60000ms/);
});

test("lines have a place for each point, at the end of what it is computed over", () => {
  const asked = { from: 0, to: 30_000, step: 10_000, unit: 10_000, size: 10_000, shift: 30_000, fixed: true };
  const series = { group: {}, points: [[0, 1], [20_000, 0]] };
  const before = { group: {}, points: [[-30_000, 7], [-20_000, null]] };
  const c = chart(metric(), asked, { series, before, watermark: 25_000 });
  assert.deepEqual(c.times, [10_000, 20_000, 30_000]);
  assert.deepEqual(c.closed, [1, null, 0], "no data is not zero");
  assert.deepEqual(c.before, [7, null, null]);
  assert.equal(c.earlier, "30 s earlier");
  assert.equal(chart(metric(), asked, { series, watermark: null }).earlier, null);
  assert.deepEqual(chart(metric(), asked, { series: null, before: null, watermark: 5 }).closed, [null, null, null]);
});

test("a group of money names its currency, and a filter that the metric can't have is left out", () => {
  const money = metric({ unit: "money/visitor", group_by: ["currency"] });
  const asked = { from: 0, to: 10_000, step: null, unit: 5000, size: 5000, shift: 10_000 };
  assert.equal(chart(money, asked, { series: { group: { currency: "EUR" }, points: [] }, watermark: 0 }).currency, "EUR");
  assert.deepEqual(groupOf(money, { currency: "EUR", country: "Japan" }), { currency: "EUR" });
});
