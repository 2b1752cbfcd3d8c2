import { age, clock, many } from "./format.mjs";

// freshness says in a few words how far what is shown can be trusted. Pure. The tone is "live", "busy" (it will pass),
// "bad" (it needs somebody) or "still" (nothing moves, and that is right).
//
//   connection  {state, retryAt, problem} of the live client
//   pipeline    the last answer of /pipeline, or null; left: ms until it has caught up, if known
//   watermark   ms, or null
//   now         ms, our clock; ahead: by how much the server's is ahead of it
//   pausedAt    since when the page stands still, or null
export function freshness({ connection, pipeline, left = null, watermark, now, ahead = 0, pausedAt }) {
  switch (connection.state) {
    case "stopped":
      return { tone: "bad", title: connection.problem?.title ?? "Stopped", detail: connection.problem?.status === 401 ? "log in again" : "" };
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
      return { tone: "bad", title: "Disconnected", detail: seconds > 0 ? `retrying in ${seconds} s` : "retrying" };
    }
    case "connecting":
      return { tone: "busy", title: "Connecting", detail: "" };
  }
  if (pausedAt !== null) return { tone: "still", title: "Paused", detail: `at ${clock(pausedAt)}` };
  if (pipeline?.held) return { tone: "bad", title: "Held", detail: pipeline.held };
  if (pipeline?.state === "faulted") return { tone: "bad", title: "Faulted", detail: pipeline.verdict };
  if (pipeline?.state === "stopping") return { tone: "busy", title: "Stopping", detail: "" };
  if (pipeline?.state === "catching_up") {
    const behind = `${many(totalLag(pipeline))} behind`;
    return { tone: "busy", title: "Catching up", detail: left === null ? behind : `${behind}, ${age(left)} left` };
  }
  if (watermark === null) return { tone: "still", title: "Waiting", detail: "no events yet" };
  const behind = now + ahead - watermark;
  if (pipeline && pipeline.partitions.length > 0 && pipeline.partitions.every((p) => p.idle)) {
    return { tone: "still", title: "Quiet", detail: "no events are arriving" };
  }
  if (behind > 30_000) return { tone: "busy", title: "Stale", detail: `since ${clock(watermark, { seconds: false })}` };
  return { tone: "live", title: "Live", detail: `data ${age(Math.max(0, behind))} old` };
}

// verdictTone is the colour of the pipeline's verdict. Running is not always well: the sentence says so.
export function verdictTone({ state, verdict, held = null }) {
  if (held) return "bad";
  if (state === "running") return verdict.startsWith("Healthy") ? "good" : "busy";
  return { catching_up: "busy", stopping: "busy", faulted: "bad" }[state] ?? "note";
}

export const totalLag = (pipeline) => pipeline.partitions.reduce((sum, p) => sum + p.lag, 0);

// timeLeft is how long the pipeline will take to catch up if it goes on as it did between two looks, or null.
export function timeLeft(before, after) {
  if (!before || after.at <= before.at) return null;
  const pace = (totalLag(before.body) - totalLag(after.body)) / (after.at - before.at);
  return pace > 0 ? totalLag(after.body) / pace : null;
}
