import assert from "node:assert/strict";
import { test } from "node:test";
import { Alerts, marks } from "../static/lib/alerts.mjs";
import { when } from "../static/lib/format.mjs";
import { Log } from "../static/lib/log.mjs";

const alert = (id, seq, more = {}) => ({
  id, seq, state: "firing", severity: "LOW", title: id, group: {}, started_at_ms: seq * 1000, ended_at_ms: null, value: 1,
  evidence: { window: { metric: "m" }, records: [] }, ...more,
});
const ids = (list) => list.map((a) => a.id).join(" ");

test("a log begins where the server says, and goes on where it was", () => {
  const log = new Log();
  assert.deepEqual(log.resume(), {});
  log.apply({ op: "ack", seq: 7 }, "e1");
  assert.deepEqual(log.resume(), { after: 7, epoch: "e1" });
  log.apply({ op: "entry", seq: 9, alert: alert("a", 9) }, "e1");
  log.detach();
  assert.deepEqual(log.resume(), { after: 9, epoch: "e1" });
  assert.equal(ids(log.take()), "a");
  assert.deepEqual(log.take(), []);
});

test("an acknowledgement by another store does not make the place one of that store", () => {
  const log = new Log();
  log.apply({ op: "ack", seq: 7 }, "e1");
  log.apply({ op: "ack", seq: 7 }, "e2");
  assert.deepEqual(log.resume(), { after: 7, epoch: "e1" }, "the reset that follows may still be lost");
  log.apply({ op: "reset", reason: "epoch_changed", seq: 0 }, "e2");
  assert.deepEqual(log.resume(), { after: 0, epoch: "e2" });
});

test("the last word on an alert counts, whichever way it came", () => {
  const known = new Alerts();
  known.take([alert("a", 5, { state: "resolved", ended_at_ms: 5 })]);
  known.take([alert("a", 3)]);
  assert.equal(known.picture().firing, 0);
  known.take([alert("b", 6), alert("b", 6, { corrected: null })]);
  assert.equal(known.picture().firing, 1);
});

test("what fires comes first, the worst before others, then what ended last", () => {
  const known = new Alerts();
  known.take([
    alert("old", 1, { severity: "HIGH" }), alert("new", 2, { severity: "HIGH" }), alert("worst", 0, { severity: "CRITICAL" }), alert("low", 9),
    alert("ended", 3, { state: "resolved", ended_at_ms: 10 }), alert("ended later", 4, { state: "resolved", ended_at_ms: 20, severity: "CRITICAL" }),
  ]);
  const { shown, firing, worst, more } = known.picture();
  assert.equal(ids(shown), "worst new old low ended later ended");
  assert.deepEqual([firing, worst, more], [4, "CRITICAL", 0]);
  assert.deepEqual(new Alerts().picture(), { firing: 0, worst: null, shown: [], more: 0, all: [] });
});

test("a storm is counted in full, and shown in part; what is over does not pile up", () => {
  const known = new Alerts();
  known.take(Array.from({ length: 300 }, (_, i) => alert(`f${i}`, i)));
  known.take(Array.from({ length: 300 }, (_, i) => alert(`r${i}`, i, { state: "resolved", ended_at_ms: i })));
  const { shown, firing, more, all } = known.picture();
  assert.deepEqual([firing, more, shown.length, all.length], [300, 250, 55, 400]);
  assert.equal(shown.at(-5).id, "r299");
});

test("a chart has the marks of its own metric, group and range", () => {
  const list = [
    alert("here", 10), alert("early", 1), alert("late", 99), alert("elsewhere", 10, { evidence: { window: { metric: "n" }, records: [] } }),
    alert("pattern", 10, { evidence: { window: null, records: [] } }), alert("group", 10, { group: { currency: "EUR" } }), alert("null", 10, { value: null }),
  ];
  const range = { metric: { name: "m" }, left: 5000, right: 20_000 };
  assert.deepEqual(marks(list, { ...range, group: {} }), [{ at: 10_000, value: 1, severity: "LOW" }]);
  assert.equal(marks(list, { ...range, group: { currency: "EUR" } }).length, 1);
  assert.equal(marks(list, { ...range, group: { currency: "USD" } }).length, 0);
});

test("a moment has its day unless that is today", () => {
  const now = new Date(2026, 2, 5, 12, 0).getTime();
  assert.equal(when(new Date(2026, 2, 5, 9, 7).getTime(), now), "09:07");
  assert.equal(when(new Date(2026, 2, 4, 23, 59).getTime(), now), "4 Mar 23:59");
  assert.equal(when(new Date(2025, 11, 31, 23, 59).getTime(), now), "31 Dec 2025 23:59");
  assert.equal(when(null, now), "–");
});
