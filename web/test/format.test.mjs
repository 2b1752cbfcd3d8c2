import assert from "node:assert/strict";
import { test } from "node:test";
import * as f from "../static/lib/format.mjs";

const table = (name, write, rows) =>
  test(name, () => {
    for (const [args, want] of rows) assert.deepEqual(write(...args), want, JSON.stringify(args));
  });

table("values with their units", f.text, [
  [[212.4, "1/s"], "212.4/s"],
  [[0, "1/s"], "0.0/s"],
  [[null, "1/s"], "–"],
  [[NaN, "1/s"], "–"],
  [[12_840, "visitors"], "12,840 visitors"],
  [[12_840, "visitors", { estimate: true }], "≈12,840 visitors"],
  [[31_284_000, "views"], "31.28 M views"],
  [[999_994_000, "views"], "999.99 M views"],
  [[999_996_000, "views"], "1.00 G views"],
  [[999_999_999_999, "views"], "1.00 T views"],
  [[1.2e18, "views"], "1.20e18 views"],
  [[2e-10, ""], "2.0e-10"],
  [[-3e9, ""], "−3.00 G"],
  [[0.386, "ratio"], "38.6 %"],
  [[0.0294, "ratio"], "2.94 %"],
  [[1, "ratio"], "100.0 %"],
  [[8.25, "s"], "8.3 s"],
  [[192, "s"], "3:12 min"],
  [[3599.7, "s"], "1:00 h"],
  [[7260, "s"], "2:01 h"],
  [[672.4, "ms"], "672 ms"],
  [[1750, "ms"], "1.75 s"],
  [[0.47, "money/visitor", { currency: "EUR" }], "€0.47"],
  [[12345.6, "money/visitor", { currency: "CAD" }], "CA$12,345.60"],
  [[0.5, "money/visitor", { currency: "(none)" }], "0.50"],
  [[0.5, "money/visitor", { currency: "<b>" }], "0.50"],
  [[3.14159, ""], "3.14"],
  [[936, ""], "936"],
  [[0.000012, ""], "0.000012"],
  [[5e17, "bananas"], "5.00e17 bananas"],
]);

table("grid lines", f.axis, [
  [[150, "1/s"], "150"],
  [[0.4, "ratio"], "40 %"],
  [[20_000, "visitors"], "20K"],
  [[200, "s"], "3:20 min"],
  [[2, "money/visitor", { currency: "EUR" }], "€2"],
]);

table("changes", f.change, [
  [[110, 100, "higher"], { direction: "up", sense: "better", text: "10.0 %" }],
  [[110, 100, "lower"], { direction: "up", sense: "worse", text: "10.0 %" }],
  [[90, 100, "lower"], { direction: "down", sense: "better", text: "10.0 %" }],
  [[90, 100, "neutral"], { direction: "down", sense: "neutral", text: "10.0 %" }],
  [[100.01, 100, "higher"], { direction: "same", sense: "neutral", text: "0.0 %" }],
  [[5000, 1, "higher"], { direction: "up", sense: "better", text: "> 999 %" }],
  [[1, 0, "higher"], null],
  [[null, 1, "higher"], null],
  [[1, null, "higher"], null],
]);

table("groups", f.groupName, [
  [["(other)", "url"], { name: "Other", ours: true }],
  [["(none)", "currency"], { name: "No currency", ours: true }],
  [["\\(other)", "url"], { name: "(other)", ours: false }],
  [["\\\\(none)", "url"], { name: "\\(none)", ours: false }],
  [["SESSION_START", "event_type"], { name: "Session start", ours: false }],
  [["USA", "country"], { name: "USA", ours: false }],
]);

table("ages", f.age, [
  [[0], "0 ms"], [[0.94], "0.9 ms"], [[21.4], "21 ms"], [[5130], "5.1 s"], [[42_000], "42 s"], [[600_000], "10 min"],
  [[7_200_000], "2 h"], [[864_000_000], "10 d"], [[-1500], "−1.5 s"], [[null], "–"],
]);

table("spans", f.span, [[[5000], "5 s"], [[300_000], "5 min"], [[3_600_000], "1 h"], [[90_000], "90 s"], [[500], "500 ms"]]);
table("bytes", f.bytes, [[[0], "0 B"], [[999], "999 B"], [[70_900_000], "70.9 MB"], [[77.9e9], "77.9 GB"], [[null], "–"]]);
table("shares", f.share, [[[1, 4], "25 %"], [[1, 30], "3.3 %"], [[1, 1e6], "< 0.01 %"], [[0, 5], "0 %"], [[1, 0], "–"]]);

test("moments of a chart have the day where it is of days, and seconds where it is short", () => {
  const at = new Date(2026, 10, 26, 14, 5, 9).getTime();
  assert.equal(f.stamp(at, { left: at - 60_000, right: at }), "14:05:09");
  assert.equal(f.stamp(at, { left: at - 6 * 3_600_000, right: at }), "14:05");
  assert.equal(f.stamp(at, { left: at - 48 * 3_600_000, right: at }), "26 Nov 14:05");
  assert.equal(f.tick(at, 5000), "14:05:09");
  assert.equal(f.tick(new Date(2026, 10, 26).getTime(), 7_200_000), "26 Nov");
  assert.equal(f.tick(at, 86_400_000), "26 Nov");
});

test("lengths of time are exact, in two parts where one would be a large number", () => {
  const spans = [5000, 90_000, 5_400_000, 338 * 60_000, 3_600_000, 86_400_000, 30 * 86_400_000, 49 * 3_600_000, 125_000];
  assert.deepEqual(spans.map((ms) => f.span(ms)), ["5 s", "90 s", "90 min", "5 h 38 min", "1 h", "1 d", "30 d", "2 d 1 h", "2 min 5 s"]);
});

test("counts in few characters, values at grid lines without words, keys as people read them", () => {
  assert.deepEqual([999, 12_345, 2_100_000, null].map((n) => f.many(n)), ["999", "12,345", "2.1 M", "–"]);
  assert.deepEqual([f.axis(120, "sessions"), f.axis(7500, "ms"), f.axis(5000, "ms"), f.axis(0.25, "ratio")], ["120", "7.5 s", "5 s", "25 %"]);
  assert.deepEqual([f.keyName("device_type"), f.keyName("url")], ["Device type", "URL"]);
});
