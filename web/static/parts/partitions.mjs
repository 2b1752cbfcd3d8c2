import { age, fixed, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";

const SCALE = 500; // ms ahead of the watermark that fill the bar, unless a partition is further ahead

// Partitions is where reading stands in each partition. The bar is how far its own watermark is ahead of the one that
// counts, which the slowest partition sets.
export function Partitions({ partitions, watermark, now }) {
  const lead = (p) => (p.watermark_ms === null || watermark === null ? null : p.watermark_ms - watermark);
  const longest = Math.max(SCALE, ...partitions.map((p) => lead(p) ?? 0));
  return html`<section class="card" aria-labelledby="partitions">
    <header class="card-head"><h2 id="partitions">Partitions</h2><span class="note">${partitions.length > 0 ? `${partitions.length} of ${partitions[0].topic}` : "no topic yet"}</span></header>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Table of partitions"><table class="partitions">
      <thead><tr>
        <th scope="col">#</th><th scope="col" class="num wide-col">Position</th><th scope="col" class="num wide-col">End</th><th scope="col" class="num">Lag</th>
        <th scope="col" class="num" title="How old the newest record that was read is, by event time">Behind</th><th scope="col" class="num wide-col">Rate</th><th scope="col" class="bar-col">Ahead of the watermark</th><th scope="col"><span class="hidden">State</span></th>
      </tr></thead>
      <tbody>${partitions.map((p) => html`<tr key=${p.partition} class=${p.fault ? "faulted" : ""}>
        <th scope="row">${p.partition}</th>
        <td class="num wide-col">${whole(p.position)}</td>
        <td class="num wide-col">${whole(p.end)}</td>
        <td class="num">${whole(p.lag)}</td>
        <td class="num">${p.watermark_ms === null ? "–" : age(Math.max(0, now - p.watermark_ms))}</td>
        <td class="num wide-col">${fixed(p.rate, 1)}<span class="note">/s</span></td>
        <td class="bar-col"><${Lead} ms=${lead(p)} longest=${longest} /></td>
        <td><${State} partition=${p} /></td>
      </tr>`)}</tbody>
    </table></div>
  </section>`;
}

function Lead({ ms, longest }) {
  const part = ms === null ? 0 : Math.max(0, ms) / longest;
  return html`<span class="lead"><span class="lead-bar"><span style=${{ transform: `scaleX(${part.toFixed(3)})` }}></span></span><span class="num">${ms === null ? "–" : ms <= 0 ? "0" : "+" + age(ms)}</span></span>`;
}

function State({ partition: p }) {
  if (p.fault) return html`<span class="badge bad" title=${p.fault}>stands still</span>`;
  if (p.waiting) return html`<span class="badge busy" title=${p.waiting}>waits</span>`;
  if (p.idle) return html`<span class="badge">idle</span>`;
  if (p.holds_back) return html`<span class="badge now" title="The watermark waits for this partition">slowest</span>`;
  return null;
}
