import { clock, groupName, share, value, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { Titled } from "./titled.mjs";

const ROW = 36; // px from one row to the next, as in the style

// GroupList is a metric that is split by one key, as bars behind text. A row has its place by rank and glides to a new
// one; it belongs to the group, so that it keeps its element while values move.
export function GroupList({ list, rows = 10 }) {
  const { metric, items, rest, total, start, end, filter } = list;
  const shown = items.slice(0, rows);
  const largest = Math.max(0, ...shown.map((item) => item.value ?? 0));
  return html`<section class="card list" aria-labelledby=${"list-" + metric.name} data-metric=${metric.name} data-window=${end}>
    <header class="card-head">
      <${Titled} metric=${metric} id=${"list-" + metric.name} />
      ${start !== null && html`<span class="note">${filter === "not filtered" ? "not filtered · " : ""}${metric.unit} · ${clock(start, { seconds: metric.size_ms < 60_000 })} – ${clock(end, { seconds: metric.size_ms < 60_000 })}</span>`}
    </header>
    ${shown.length === 0
      ? html`<p class="empty">${filter === "filtered" ? "None in the last closed window." : "No window with any has closed lately."}</p>`
      : html`<ol style=${{ height: `${Math.max(shown.length, 1) * ROW - 4}px` }}>
          ${shown.map((item, i) => html`<${Row} key=${item.group} metric=${metric} item=${item} place=${i} largest=${largest} total=${total} />`)}
        </ol>`}
    ${rest && shown.length > 0 && html`<p class="rest">
      <span>${rest.groups > 0 ? `${whole(rest.groups)} more${rest.folded ? " and others" : ""}` : "Others"}</span>
      ${rest.value !== null && html`<span class="row-value">${bare(rest.value, metric.unit)}</span><span class="row-share">${share(rest.value, total)}</span>`}
    </p>`}
  </section>`;
}

// bare is a value without its unit, which the head of the list has.
const bare = (v, unit) => value(v, unit).number;

// Row is one group. To press it is to see that group alone, also in the main chart, until the chip is taken away.
function Row({ metric, item, place, largest, total }) {
  const key = metric.group_by[0];
  const { name, ours } = groupName(item.group, key);
  const part = largest > 0 && item.value !== null ? Math.max(0, item.value / largest) : 0;
  const chips = prefs.chips.value;
  const picked = chips[key] === item.group;
  return html`<li style=${{ transform: `translateY(${place * ROW}px)` }}>
    <button class="row-face" aria-pressed=${picked} onClick=${() => (picked ? unpick(metric) : prefs.choose({ group: { ...chips, [key]: item.group }, metric: metric.name }))}>
      <span class="row-bar" style=${{ transform: `scaleX(${part.toFixed(4)})` }}></span>
      <span class=${ours ? "row-name ours" : "row-name"} title=${name} data-group=${item.group}>${name}</span>
      <span class="row-value">${bare(item.value, metric.unit)}</span>
      ${total !== null && html`<span class="row-share">${share(item.value, total)}</span>`}
    </button>
  </li>`;
}

const unpick = (metric) => {
  const { [metric.group_by[0]]: _, ...group } = prefs.chips.value;
  prefs.choose({ group, metric: prefs.selected.value === metric.name ? null : prefs.selected.value });
};
