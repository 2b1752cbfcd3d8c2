import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Log } from "../static/lib/log.mjs";
import { harness } from "./stage.mjs";

// The server's tests write these scripts; the page's module must send and hold what stands in them. How to read them stands
// in metrics.txt.
const scripts = new URL("../../server/live/testdata/frames/", import.meta.url);

for (const file of readdirSync(scripts)) {
  test(`frames: ${file}`, () => {
    const player = new Player();
    const lines = readFileSync(new URL(file, scripts), "utf8").split("\n");
    lines.forEach((line, i) => {
      try {
        player.play(line, lines[i + 1] ?? "");
      } catch (error) {
        error.message = `${file}:${i + 1}: ${line.slice(0, 200)}\n${error.message}`;
        throw error;
      }
    });
    player.assertNothingUnsaid();
  });
}

class Player {
  #h = harness();
  #logs = new Map(); // name -> what the log told
  #said = new Map(); // name -> the state that stood in the script last
  #sockets = 0; // that the script knows of
  #heard = 0; // of what the last socket sent, how much the script knows of

  play(line, next) {
    const rest = line.slice(2);
    switch (line[0]) {
      case "@":
        this.assertNothingUnsaid();
        return this.#act(rest);
      case ">":
        return this.#sent(rest);
      case "<":
        return this.#receive(rest, next);
      case "~":
        this.assertNothingUnsaid();
        return this.#h.wait(rest.endsWith("ms") ? parseFloat(rest) : 1000 * parseFloat(rest));
      case "!":
        return this.assertNothingUnsaid();
      case "=": // told to #receive
      case "#":
      case undefined:
        return;
    }
    assert.fail("what is this?");
  }

  #act(text) {
    const [what, name, ...request] = text.split(" ");
    switch (what) {
      case "watch": {
        const wanted = JSON.parse(request.join(" "));
        if (wanted.channel !== "alerts") return this.#h.client.watch(name, wanted);
        this.#logs.set(name, []);
        return this.#h.client.watch(name, wanted, new Log());
      }
      case "start":
        return this.#h.client.start();
      case "lost":
        return this.#h.socket().onclose({ code: 1006 });
    }
    assert.fail("what does the page do?");
  }

  #sent(text) {
    if (text === "connect") {
      assert.equal(this.#h.sockets.length, ++this.#sockets, "connections opened");
      this.#heard = 0;
      return;
    }
    assert.deepEqual(JSON.stringify(this.#h.socket().sent[this.#heard++]), text);
  }

  #receive(text, next) {
    if (text.startsWith("close ")) return this.#h.socket().onclose({ code: Number(text.slice(6)) });
    const frame = JSON.parse(text);
    const ours = this.#h.socket().sent.some((m) => m.op === "subscribe" && m.sub === frame.sub) && frame.op !== "error";
    const left = this.#h.socket().sent.some((m) => m.op === "unsubscribe" && m.sub === frame.sub);
    this.#h.socket().onmessage({ data: text });
    if (!ours || left) return;
    const name = frame.sub.split(".")[0];
    const log = this.#logs.get(name);
    if (frame.op === "reset") log?.push(frame.reason);
    if (frame.op === "entry") assert.deepEqual(this.#h.client.board(name).take().map((a) => log.push(a.id) && a), [frame.alert]);
    if (next.startsWith("= ")) this.#said.set(name, next.slice(2));
    assert.equal(`${name} ${this.#state(name)}`, this.#said.get(name));
  }

  // state tells what is held under a name as the server's oracle does.
  #state(name) {
    const board = this.#h.client.board(name);
    const place = board.seq === null ? "waits" : `seq ${board.seq}`;
    if (this.#logs.has(name)) return `${place}: ${this.#logs.get(name).join(" ")}`;
    const rows = [...board.rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, row]) => {
      return [key, ...Object.values(row.group), row.kind, row.value].map(String).join(" ");
    });
    return `${place}${board.watermark === null ? "" : `, watermark ${board.watermark}`}: ${rows.join("; ")}`;
  }

  assertNothingUnsaid() {
    assert.equal(this.#h.sockets.length, this.#sockets, "connections opened");
    if (this.#sockets > 0) assert.deepEqual(this.#h.socket().sent.slice(this.#heard), [], "sent, and not in the script");
  }
}
