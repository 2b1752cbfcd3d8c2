import { Board } from "./board.mjs";

const LASTED = 10_000; // ms after which a connection was a good one

// LiveClient speaks tidemark.v1 on one connection at a time and keeps it up. Everything that it needs from outside is
// given to it, so that it runs in tests as it does in a browser:
//
//   open()          makes a WebSocket (or what looks like one)
//   timers          {now, set, clear}: the clock, setTimeout, clearTimeout
//   random()        0 to 1, spreads retries
//   changed(name)   a board or the state of the connection has changed; name is the subscription, if it was one
//
// The connection is in one of these states:
//
//   connecting      a socket is being opened, or has not said welcome yet
//   open            welcome was said
//   waiting         closed; the next try is at retryAt
//   stopped         closed for good: by stop(), or because the server speaks another protocol or asks who we are
//
// 1. watch() says what is wanted under a name; the client sees to it, over reconnects too.
// 2. Each request to the server has a name of its own, so that frames that were still on their way when we asked again
//    are told apart and dropped.
// 3. A board keeps its rows until the next snapshot replaces them. fresh() says whether it follows the server. A log, given
//    to watch() in a board's place, keeps how far it has come, and goes on there.
export class LiveClient {
  state = "waiting";
  retryAt = 0;
  problem = null; // why the client has stopped, or what the server refused
  server = null; // the welcome frame

  #env;
  #socket = null;
  #wanted = new Map(); // name -> {request, sub, board, timer}
  #bySub = new Map(); // name on the wire -> our name
  #count = 0; // requests so far
  #failures = 0; // connections in a row that did not last
  #welcomed = null; // when welcome was said
  #hint = null; // retry_after_ms of a goodbye
  #retry = null; // timer
  #silence = null; // timer

  constructor(env) {
    this.#env = env;
  }

  start() {
    if (this.#socket || this.state === "stopped") return;
    this.#env.timers.clear(this.#retry);
    this.state = "connecting";
    const socket = (this.#socket = this.#env.open());
    // Frames of a socket that was given up mean nothing any more.
    const ours = (handle) => (event) => socket === this.#socket && handle(event);
    socket.onmessage = ours((event) => this.#receive(JSON.parse(event.data)));
    socket.onclose = ours((event) => this.#closed(event.code));
    this.#watchSilence(10_000);
    this.#env.changed(null);
  }

  stop() {
    this.#end(null);
    this.#env.changed(null);
  }

  // retryNow ends a wait early: the network is back, or somebody looks at the page again.
  retryNow() {
    if (this.state === "waiting") this.start();
  }

  // watch subscribes under a name, or changes what the name is subscribed to.
  watch(name, request, holder = new Board()) {
    const before = this.#wanted.get(name);
    if (before) this.#leave(before);
    const wanted = { name, request, sub: null, board: before?.board ?? holder, timer: null };
    wanted.board.detach();
    this.#wanted.set(name, wanted);
    if (this.state === "open") this.#ask(wanted);
  }

  board(name) {
    return this.#wanted.get(name)?.board ?? null;
  }

  fresh(name) {
    return this.state === "open" && this.board(name)?.seq != null;
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #ask(wanted) {
    this.#env.timers.clear(wanted.timer);
    wanted.sub = `${wanted.name}.${++this.#count}`;
    this.#bySub.set(wanted.sub, wanted.name);
    this.#send({ op: "subscribe", sub: wanted.sub, channel: "metrics", ...wanted.request, ...wanted.board.resume() });
  }

  #leave(wanted) {
    this.#env.timers.clear(wanted.timer);
    if (wanted.sub === null) return;
    this.#bySub.delete(wanted.sub);
    if (this.state === "open") this.#send({ op: "unsubscribe", sub: wanted.sub });
    wanted.sub = null;
  }

  #receive(frame) {
    this.#watchSilence(2.5 * (this.server?.ping_ms ?? 20_000));
    switch (frame.op) {
      case "welcome":
        return this.#welcome(frame);
      case "ping":
        return this.#send({ op: "pong", t_ms: frame.t_ms });
      case "goodbye":
        this.#hint = frame.retry_after_ms;
        return;
      case "snapshot":
      case "delta":
      case "reset":
      case "entry":
        return this.#apply(frame);
      case "ack": // of a log it says where that begins
        return frame.seq === undefined ? undefined : this.#apply(frame);
      case "error":
        return this.#refused(frame);
    }
    // Frames that this version does not know ask for nothing.
  }

  #welcome(frame) {
    this.server = frame;
    this.state = "open";
    this.#welcomed = this.#env.timers.now();
    this.#hint = null;
    this.problem = null;
    for (const wanted of this.#wanted.values()) this.#ask(wanted);
    this.#env.changed(null);
  }

  #apply(frame) {
    const name = this.#bySub.get(frame.sub);
    if (!name) return;
    const wanted = this.#wanted.get(name);
    if (wanted.board.apply(frame, this.server.epoch) === "gap") {
      this.#leave(wanted);
      this.#ask(wanted);
    }
    if (frame.op === "snapshot" || frame.op === "ack") this.problem = null;
    this.#env.changed(name, frame.op);
  }

  // refused: the server has dropped the subscription, or never made it. It is asked again later, for it may only be busy.
  #refused(frame) {
    const name = this.#bySub.get(frame.sub);
    if (!name) return;
    this.problem = frame.problem;
    const wanted = this.#wanted.get(name);
    this.#bySub.delete(frame.sub);
    wanted.sub = null;
    wanted.board.detach();
    wanted.timer = this.#env.timers.set(() => this.state === "open" && this.#ask(wanted), 5000);
    this.#env.changed(name);
  }

  #closed(code) {
    if (code === 4401 || code === 4403 || code === 4409) {
      this.#end({ status: code - 4000, title: code === 4409 ? "The server speaks another protocol" : "The session has ended" });
    } else {
      this.#drop();
      this.state = "waiting";
      const wait = this.#pause();
      this.retryAt = this.#env.timers.now() + wait;
      this.#retry = this.#env.timers.set(() => this.start(), wait);
    }
    this.#env.changed(null);
  }

  // pause is how long to wait: what the server said, which is different for each client already, or longer each time. Who
  // lets us in and breaks off at once is no better than who doesn't let us in.
  #pause() {
    const now = this.#env.timers.now();
    if (this.#welcomed !== null && Math.abs(now - this.#welcomed) >= LASTED) this.#failures = 0;
    this.#welcomed = null;
    const hint = this.#hint;
    this.#hint = null;
    if (hint !== null) return hint;
    const pause = Math.min(15_000, 500 * 2 ** this.#failures++);
    return Math.round(pause * (0.75 + 0.5 * this.#env.random()));
  }

  #end(problem) {
    this.#drop();
    this.#env.timers.clear(this.#retry);
    this.problem = problem;
    this.state = "stopped";
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#env.timers.clear(this.#silence);
    this.#bySub.clear();
    for (const wanted of this.#wanted.values()) {
      this.#env.timers.clear(wanted.timer);
      wanted.sub = null;
      wanted.board.detach();
    }
    socket?.close();
  }

  // A connection can die without a word, as when a laptop sleeps. Pings come often enough to tell.
  #watchSilence(ms) {
    this.#env.timers.clear(this.#silence);
    this.#silence = this.#env.timers.set(() => this.#closed(1006), ms);
  }
}
