import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../static/lib/log.mjs";
import { harness } from "./stage.mjs";

const row = (key, value, kind = "final") => ({ key, metric: "m", group: {}, window_start_ms: 0, window_end_ms: 5, kind, value });
const values = (h) => [...h.client.board("a").rows.values()].map((r) => r.value);

function subscribed() {
  const h = harness();
  h.client.watch("a", { metrics: ["m"], backfill: "15m", max_hz: 2 });
  h.client.start();
  h.welcome();
  h.says({ op: "snapshot", sub: h.sub(), seq: 10, watermark_ms: 100, rows: [row("k1", 1), row("k2", 2)] });
  return h;
}

test("a subscription is asked for after the welcome, and its snapshot is what the server holds", () => {
  const h = subscribed();
  assert.deepEqual(h.asked("subscribe"), [{ op: "subscribe", sub: "a.1", channel: "metrics", metrics: ["m"], backfill: "15m", max_hz: 2 }]);
  assert.deepEqual(values(h), [1, 2]);
  assert.equal(h.client.board("a").seq, 10);
  assert.ok(h.client.fresh("a"));
});

test("deltas change, add and remove rows", () => {
  const h = subscribed();
  h.says({ op: "delta", sub: "a.1", from: 10, seq: 12, watermark_ms: 200, rows: [row("k1", 9), row("k3", 3)], removed: ["k2"] });
  assert.deepEqual(values(h), [9, 3]);
  assert.equal(h.client.board("a").watermark, 200);
});

test("a delta that does not continue is not applied: a new snapshot is asked for, and late frames are dropped", () => {
  const h = subscribed();
  h.says({ op: "delta", sub: "a.1", from: 11, seq: 12, watermark_ms: 200, rows: [row("k1", 9)] });
  assert.deepEqual(values(h), [1, 2]);
  assert.equal(h.client.fresh("a"), false);
  assert.deepEqual(h.asked("unsubscribe"), [{ op: "unsubscribe", sub: "a.1" }]);
  assert.equal(h.sub(), "a.2");
  h.says({ op: "delta", sub: "a.1", from: 10, seq: 13, watermark_ms: 300, rows: [row("k1", 7)] });
  assert.deepEqual(values(h), [1, 2]);
  h.says({ op: "snapshot", sub: "a.2", seq: 13, watermark_ms: 300, rows: [row("k1", 8)] });
  assert.deepEqual(values(h), [8]);
});

test("a delta that begins before what is held does not continue it either", () => {
  const h = subscribed();
  h.says({ op: "delta", sub: "a.1", from: 9, seq: 12, watermark_ms: 200, rows: [row("k1", 9)], removed: [] });
  assert.deepEqual(values(h), [1, 2]);
  assert.equal(h.sub(), "a.2");
});

test("after a reset the rows stay until the snapshot", () => {
  const h = subscribed();
  h.says({ op: "reset", sub: "a.1", reason: "slow" });
  assert.deepEqual(values(h), [1, 2]);
  assert.equal(h.client.fresh("a"), false);
  h.says({ op: "snapshot", sub: "a.1", seq: 3, watermark_ms: 100, rows: [] });
  assert.deepEqual(values(h), []);
  assert.ok(h.client.fresh("a"));
});

test("a ping is answered", () => {
  const h = subscribed();
  h.says({ op: "ping", t_ms: 77 });
  assert.deepEqual(h.asked("pong"), [{ op: "pong", t_ms: 77 }]);
});

test("unknown frames are ignored", () => {
  const h = subscribed();
  h.says({ op: "weather", sub: "a.1" });
  assert.deepEqual(values(h), [1, 2]);
});

test("a lost connection is tried again, later each time, and then everything is asked for anew", () => {
  const h = subscribed();
  const waits = [];
  for (let i = 0; i < 7; i++) {
    h.socket().onclose({ code: 1006 });
    assert.equal(h.client.state, "waiting");
    waits.push(h.client.retryAt - h.time);
    h.wait(waits.at(-1));
    assert.equal(h.client.state, "connecting");
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  assert.deepEqual(values(h), [1, 2], "the last values stay");
  h.welcome();
  assert.equal(h.asked("subscribe").length, 1);
});

test("goodbye says when to come back", () => {
  const h = subscribed();
  h.says({ op: "goodbye", code: 4101, retry_after_ms: 1500 });
  h.socket().onclose({ code: 4101 });
  assert.equal(h.client.retryAt, 1500);
});

test("who was told when to come back comes then, never sooner", () => {
  for (const random of [0, 0.5, 0.999]) {
    const h = subscribed();
    h.random = random;
    h.says({ op: "goodbye", code: 4429, retry_after_ms: 7000 });
    h.socket().onclose({ code: 4429 });
    h.wait(6999);
    assert.equal(h.sockets.length, 1);
    h.wait(1);
    assert.equal(h.sockets.length, 2);
  }
});

test("retries are spread", () => {
  for (const [random, wait] of [[0, 375], [0.5, 500], [1, 625]]) {
    const h = subscribed();
    h.random = random;
    h.socket().onclose({ code: 1006 });
    assert.equal(h.client.retryAt, wait);
  }
});

test("a server that says welcome and breaks off is tried less and less often; a connection that lasted is tried again soon", () => {
  const h = subscribed();
  const lose = () => {
    h.socket().onclose({ code: 1006 });
    const wait = h.client.retryAt - h.time;
    h.wait(wait);
    h.welcome();
    h.says({ op: "snapshot", sub: h.sub(), seq: 10, watermark_ms: 100, rows: [] });
    return wait;
  };
  assert.deepEqual([lose(), lose(), lose()], [500, 1000, 2000]);
  h.wait(10_000);
  assert.deepEqual([lose(), lose()], [500, 1000]);
});

test("after an hour of sleep the connection is given up, and all is asked for anew, the log from where it was", () => {
  const h = subscribed();
  h.client.watch("log", { channel: "alerts" }, new Log());
  h.says({ op: "ack", sub: h.sub(), seq: 41 });
  h.sleep(3_600_000);
  assert.equal(h.client.state, "waiting");
  assert.ok(h.socket().closed);
  assert.equal(h.client.fresh("a"), false);
  assert.deepEqual(values(h), [1, 2], "the last values stay");
  h.client.retryNow(); // somebody looks at the page
  h.welcome();
  assert.deepEqual(h.asked("subscribe").map((m) => [m.channel, m.after]), [["metrics", undefined], ["alerts", 41]]);
  h.says({ op: "snapshot", sub: h.asked("subscribe")[0].sub, seq: 900, watermark_ms: 3_600_100, rows: [row("k9", 9)] });
  assert.deepEqual(values(h), [9]);
  h.wait(40_000);
  assert.equal(h.client.state, "open", "no timer of the time before is left");
});

test("another store's snapshot counts, though its sequence is lower", () => {
  for (const epoch of ["e", "another"]) {
    const h = subscribed();
    h.socket().onclose({ code: 1006 });
    h.wait(500);
    h.welcome(epoch);
    h.says({ op: "snapshot", sub: h.sub(), seq: 2, watermark_ms: 50, rows: [row("k1", 7)] });
    h.says({ op: "delta", sub: h.sub(), from: 2, seq: 3, watermark_ms: 60, rows: [row("k1", 8)], removed: [] });
    assert.deepEqual(values(h), [8]);
    assert.ok(h.client.fresh("a"));
  }
});

test("a clock that is set does not change how long a retry takes, nor whether a connection is alive", () => {
  for (const skew of [-3_600_000, 3_600_000]) {
    const h = subscribed();
    h.skew = skew;
    h.wait(49_000);
    h.says({ op: "delta", sub: h.sub(), from: 10, seq: 11, watermark_ms: 7_200_000, rows: [], removed: [] });
    h.wait(49_000);
    assert.equal(h.client.state, "open");
    h.socket().onclose({ code: 1006 });
    h.skew = 0;
    h.wait(500);
    assert.equal(h.sockets.length, 2);
  }
});

test("a page that is hidden asks for less, and gets what it wants when it is back", () => {
  const h = subscribed();
  h.client.watch("a", { metrics: ["m"], max_hz: 0.1 });
  h.says({ op: "ack", sub: "a.1" }); // of the unsubscription
  h.says({ op: "snapshot", sub: "a.2", seq: 12, watermark_ms: 120, rows: [row("k1", 3)] });
  assert.deepEqual(values(h), [3]);
  h.client.watch("a", { metrics: ["m"], max_hz: 2, backfill: "15m" });
  assert.deepEqual(h.asked("unsubscribe").map((m) => m.sub), ["a.1", "a.2"]);
  h.says({ op: "snapshot", sub: "a.3", seq: 13, watermark_ms: 130, rows: [row("k1", 4)], history: [{ metric: "m", group: {}, points: [[0, 1]] }] });
  assert.deepEqual(h.client.board("a").history.length, 1);
  assert.deepEqual(values(h), [4]);
});

test("a connection that has gone silent is given up", () => {
  const h = subscribed();
  const old = h.socket();
  h.wait(50_000);
  assert.equal(h.client.state, "waiting");
  assert.ok(old.closed);
  old.onmessage({ data: JSON.stringify({ op: "snapshot", sub: "a.1", seq: 99, rows: [] }) });
  assert.deepEqual(values(h), [1, 2], "a socket that was given up says nothing any more");
});

test("who may not come does not try again", () => {
  const h = subscribed();
  h.socket().onclose({ code: 4401 });
  assert.equal(h.client.state, "stopped");
  h.wait(60_000);
  assert.equal(h.sockets.length, 1);
});

test("a refused subscription is asked for again after a while", () => {
  const h = subscribed();
  h.says({ op: "error", sub: "a.1", problem: { title: "Busy", status: 503 } });
  assert.equal(h.client.problem.title, "Busy");
  assert.equal(h.asked("subscribe").length, 1);
  h.wait(5000);
  assert.equal(h.asked("subscribe").length, 2);
});

test("watching something else leaves the old subscription", () => {
  const h = subscribed();
  h.client.watch("a", { metrics: ["m"], max_hz: 0.1 });
  assert.deepEqual(h.asked("unsubscribe"), [{ op: "unsubscribe", sub: "a.1" }]);
  assert.equal(h.asked("subscribe").at(-1).max_hz, 0.1);
  assert.deepEqual(values(h), [1, 2]);
});

test("a log is resumed over reconnects, and nothing of it is lost or comes twice", () => {
  const h = harness();
  const got = [];
  const drain = () => got.push(...h.client.board("log").take().map((a) => a.id));
  h.client.watch("log", { channel: "alerts" }, new Log());
  h.client.start();
  h.welcome();
  assert.deepEqual(h.asked("subscribe"), [{ op: "subscribe", sub: "log.1", channel: "alerts" }]);
  h.says({ op: "ack", sub: "log.1", seq: 4 });
  h.says({ op: "entry", sub: "log.1", seq: 6, alert: { id: "a" } });
  drain();
  h.socket().onclose({ code: 1006 });
  h.wait(500);
  h.welcome();
  assert.deepEqual(h.asked("subscribe"), [{ op: "subscribe", sub: "log.2", channel: "alerts", after: 6, epoch: "e" }]);
  h.says({ op: "entry", sub: "log.1", seq: 7, alert: { id: "of the subscription before" } });
  h.says({ op: "ack", sub: "log.2", seq: 6 });
  h.says({ op: "entry", sub: "log.2", seq: 8, alert: { id: "b" } });
  drain();
  assert.deepEqual(got, ["a", "b"]);
  assert.deepEqual(h.changes.filter((c) => c !== "state"), ["ack", "entry", "ack", "entry"]);
});

// Random histories: whatever is sent, a client that follows holds what the server held.
test("a client that applies frames in order holds what the server held", () => {
  let state = 12345;
  const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 50; round++) {
    const h = subscribed();
    const server = new Map([["k1", 1], ["k2", 2]]);
    let seq = 10;
    for (let i = 0; i < 40; i++) {
      const rows = [];
      const removed = [];
      for (let n = random(4); n > 0; n--) {
        const key = "k" + random(9);
        if (removed.includes(key) || rows.some((r) => r.key === key)) continue;
        if (random(3) === 0) {
          if (server.delete(key)) removed.push(key);
        } else {
          server.set(key, i);
          rows.push(row(key, i));
        }
      }
      const from = seq;
      seq += random(2);
      if (random(10) > 0) {
        h.says({ op: "delta", sub: h.sub(), from, seq, watermark_ms: i, rows, removed });
      } else {
        h.says({ op: "reset", sub: h.sub(), reason: "slow" });
        h.says({ op: "snapshot", sub: h.sub(), seq, watermark_ms: i, rows: [...server].map(([k, v]) => row(k, v)) });
      }
      const held = new Map([...h.client.board("a").rows].map(([k, r]) => [k, r.value]));
      assert.deepEqual(new Map([...held].sort()), new Map([...server].sort()));
    }
  }
});
