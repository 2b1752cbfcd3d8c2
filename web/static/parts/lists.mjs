import { clock, groupName, share, value, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";

const ROW = 36; // px from one row to the next, as in the style

// GroupList is a metric that is split by one key, as bars behind text. A row has its place by rank and glides to a new
// one; it belongs to the group, so that it keeps its element while values move.
export function GroupList({ list, rows = 10 }) {
  const { metric, items, rest, total, start, end } = list;
  const shown = items.slice(0, rows);
  const key = metric.group_by[0];
  const largest = Math.max(0, ...shown.map((item) => item.value ?? 0));
  return html`<section class="card list" aria-labelledby=${"list-" + metric.name} data-metric=${metric.name} data-window=${end}>
    <header class="card-head">
      <h2 id=${"list-" + metric.name} title=${metric.description}>${metric.title}</h2>
      ${start !== null && html`<span class="note">${metric.unit} · ${clock(start, { seconds: metric.size_ms < 60_000 })} – ${clock(end, { seconds: metric.size_ms < 60_000 })}</span>`}
    </header>
    ${shown.length === 0
      ? html`<p class="empty">No closed window has any yet.</p>`
      : html`<ol style=${{ height: `${Math.max(shown.length, 1) * ROW - 4}px` }}>
          ${shown.map((item, i) => html`<${Row} key=${item.group} item=${item} place=${i} unit=${metric.unit} groupKey=${key} largest=${largest} total=${total} />`)}
        </ol>`}
    ${rest && shown.length > 0 && html`<p class="rest">
      <span>${rest.groups > 0 ? `${whole(rest.groups)} more${rest.folded ? " and others" : ""}` : "Others"}</span>
      ${rest.value !== null && html`<span class="row-value">${bare(rest.value, metric.unit)}</span><span class="row-share">${share(rest.value, total)}</span>`}
    </p>`}
  </section>`;
}

// bare is a value without its unit, which the head of the list has.
const bare = (v, unit) => value(v, unit).number;

function Row({ item, place, unit, groupKey, largest, total }) {
  const { name, ours } = groupName(item.group, groupKey);
  const part = largest > 0 && item.value !== null ? Math.max(0, item.value / largest) : 0;
  return html`<li style=${{ transform: `translateY(${place * ROW}px)` }}>
    <span class="row-bar" style=${{ transform: `scaleX(${part.toFixed(4)})` }}></span>
    <span class=${ours ? "row-name ours" : "row-name"} title=${name} data-group=${item.group}>${name}</span>
    <span class="row-value">${bare(item.value, unit)}</span>
    ${total !== null && html`<span class="row-share">${share(item.value, total)}</span>`}
  </li>`;
}
