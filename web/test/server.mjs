// The program under test: started on free ports with a directory of its own, fed, stopped.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Port 0 would give one of those of outgoing connections, and one of them could sit on it while the program is down.
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_768);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch (error) {
      if (error.code !== "EADDRINUSE") throw error;
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

export class Server {
  static async make(binary, command, args = []) {
    const s = new Server();
    s.binary = binary;
    s.command = command;
    s.args = args;
    s.data = mkdtempSync(join(tmpdir(), "tidemark-dashboard-"));
    s.listen = `127.0.0.1:${await freePort()}`;
    s.broker = `127.0.0.1:${await freePort()}`;
    s.url = `http://${s.listen}`;
    await s.start();
    return s;
  }

  async start() {
    this.log = [];
    this.process = spawn(this.binary, [this.command, "--data", this.data, "--listen", this.listen, "--embedded-listen", this.broker, "--min-free", "0", ...this.args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    createInterface({ input: this.process.stderr }).on("line", (line) => this.log.push(line));
    await until("the server answers", async () => {
      if (this.process.exitCode !== null) throw new Error(`${this.command} ended with ${this.process.exitCode}:\n${this.log.join("\n")}`);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGTERM");
    await once(this.process, "exit");
  }

  async remove() {
    await this.stop();
    rmSync(this.data, { recursive: true, force: true });
  }

  // simulate writes traffic whose event time ends now, or begins at a time in ms.
  simulate(count, start = null) {
    const when = start === null ? [] : ["--start", String(start)];
    execFileSync(this.binary, ["simulate", "--count", String(count), "--rate", "0", "--kafka-brokers", this.broker, ...when], { stdio: "pipe" });
  }

  // write puts lines into the events topic as they are.
  write(lines) {
    execFileSync("kcat", ["-P", "-b", this.broker, "-t", "events"], { input: lines.join("\n"), stdio: ["pipe", "pipe", "pipe"] });
  }

  async get(path) {
    const response = await fetch(`${this.url}/api/v1${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  // caughtUp waits until at least so many records are taken, and nothing is left to read.
  caughtUp(records) {
    return until("the pipeline has caught up", async () => {
      const p = await this.get("/pipeline");
      return p.counters.consumed >= records && p.partitions.every((one) => one.lag === 0);
    });
  }
}

// until asks again until the answer is true. An error counts as no, and is told if it never becomes yes.
export async function until(what, ask, ms = 60_000) {
  const end = Date.now() + ms;
  let last = null;
  while (Date.now() < end) {
    try {
      if (await ask()) return;
      last = null;
    } catch (error) {
      last = error;
      if (/ended with/.test(error.message)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${ms / 1000} s in vain until ${what}${last ? `: ${last.message}` : ""}`);
}
