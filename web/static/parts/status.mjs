import { age, percent, whole } from "../lib/format.mjs";
import { totalLag, verdictTone } from "../lib/freshness.mjs";
import { html } from "../lib/html.mjs";
import { clockAhead } from "../lib/rest.mjs";
import { connection, now, pipeline, trouble } from "../lib/state.mjs";

// Status is the line at the foot: the pipeline's verdict and its five numbers, or that it can't be asked.
export function Status() {
  const look = pipeline.value;
  if (trouble.value !== null && (look === null || connection.value.state !== "open" || now.value - look.at > 5000)) {
    return html`<footer class="status" aria-label="Pipeline"><div class="status-in" tabindex="0" role="group" aria-label="State of the pipeline">
      <strong class="bad">No answer</strong><span>${trouble.value.status === 0 ? "the server can't be reached" : trouble.value.message}</span>
    </div></footer>`;
  }
  if (look === null) return html`<footer class="status" aria-label="Pipeline"></footer>`;
  const p = look.body;
  const holder = p.partitions.find((one) => one.holds_back);
  const behind = p.watermark_ms === null ? null : look.at + clockAhead - p.watermark_ms;
  const { consumed, late, dead_letters } = p.counters;
  return html`<footer class="status" aria-label="Pipeline"><div class="status-in" tabindex="0" role="group" aria-label="State of the pipeline">
    <strong class=${verdictTone(p)}>${p.verdict}</strong>
    <span>${whole(p.partitions.length)} partitions, lag ${whole(totalLag(p))} records</span>
    <span>${behind === null ? "no watermark yet" : `watermark ${age(Math.max(0, behind))} behind`}${holder && behind !== null ? `, held by partition ${holder.partition}` : ""}</span>
    <span>${p.commit.age_ms === null ? "no commit yet" : `commit ${age(p.commit.age_ms)} ago`}</span>
    <span>late ${consumed > 0 ? percent(late / consumed) : "–"}</span>
    <span>dead letters ${whole(dead_letters)}</span>
  </div></footer>`;
}
