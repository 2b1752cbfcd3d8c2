import { LiveClient } from "../static/lib/live.mjs";

// A harness plays the server and the clock.
export function harness() {
  const h = { sockets: [], time: 0, timers: new Map(), nextTimer: 1, changes: [], random: 0.5, skew: 0 };
  h.client = new LiveClient({
    open() {
      const socket = { sent: [], closed: false, send: (m) => socket.sent.push(JSON.parse(m)), close: () => (socket.closed = true) };
      h.sockets.push(socket);
      return socket;
    },
    timers: {
      now: () => h.time + h.skew,
      set(run, ms) {
        h.timers.set(h.nextTimer, { run, at: h.time + ms });
        return h.nextTimer++;
      },
      clear: (id) => h.timers.delete(id),
    },
    random: () => h.random,
    changed: (name, op) => h.changes.push(op ?? name ?? "state"),
  });
  h.socket = () => h.sockets.at(-1);
  h.says = (frame) => h.socket().onmessage({ data: JSON.stringify(frame) });
  h.welcome = (epoch = "e") => h.says({ op: "welcome", epoch, ping_ms: 20_000 });
  h.asked = (op) => h.socket().sent.filter((m) => m.op === op);
  h.sub = () => h.asked("subscribe").at(-1).sub;
  // wait lets time go by: every timer runs at its time, those that are set on the way too.
  h.wait = (ms) => {
    const end = h.time + ms;
    for (;;) {
      const due = [...h.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      h.timers.delete(due[0]);
      h.time = Math.max(h.time, due[1].at);
      due[1].run();
    }
    h.time = end;
  };
  // sleep is a laptop's: the clock goes on, and the timers that were due all run when it wakes.
  h.sleep = (ms) => {
    h.time += ms;
    const due = [...h.timers].filter(([, timer]) => timer.at <= h.time).sort((a, b) => a[1].at - b[1].at);
    for (const [id, timer] of due) if (h.timers.delete(id)) timer.run();
  };
  return h;
}
