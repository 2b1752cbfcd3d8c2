import { span, text } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { marks } from "../lib/alerts.mjs";
import { alerts, connection, metrics, pipeline, trouble, view } from "../lib/state.mjs";
import { useState } from "../vendor/hooks.mjs";
import { AlertsCard } from "./alerts.mjs";
import { Chart } from "./chart.mjs";
import { NothingYet } from "./empty.mjs";
import { Funnel } from "./funnel.mjs";
import { LiveFilters } from "./live-filters.mjs";
import { GroupList } from "./lists.mjs";
import { Spark } from "./spark.mjs";
import { Tile, Tiles } from "./tiles.mjs";

export function Live() {
  const [table, setTable] = useState(false);
  const v = view.value;
  if (v === null) return html`<${Waiting} />`;
  const chosen = v.chart?.metric.name;
  const past = connection.value.state !== "open"; // what is shown is how it was
  return html`<main class=${past ? "page past" : "page"} data-seq=${v.seq} data-group-seq=${v.groupSeq}>
    <h1 class="hidden">Live</h1>
    <${LiveFilters} view=${v} />
    <${Tiles} tiles=${v.tiles} chosen=${chosen} />
    ${v.watermark === null
      ? html`<${NothingYet} topic=${pipeline.value?.body.partitions[0]?.topic ?? "events"} />`
      : html`
        <div class="split">
          ${v.chart && html`<${Chart} chart=${v.chart} marks=${marksOf(v.chart)} past=${past} note=${noteOf(v.chart)} table=${table} setTable=${setTable} select=${(from, to) => prefs.closer(v.chart, from, to)} />`}
          <div class="aside">
            <${AlertsCard} />
            ${v.beside && html`<${Beside} tile=${v.beside} pressed=${v.beside.metric.name === chosen} />`}
          </div>
        </div>
        <div class="lists" data-columns=${v.lists.length + v.funnels.length}>
          ${v.lists.map((list) => html`<${GroupList} key=${list.metric.name} list=${list} />`)}
          ${v.funnels.map((funnel) => html`<${Funnel} key=${funnel.metric.name} funnel=${funnel} />`)}
        </div>`}
  </main>`;
}

const noteOf = (chart) => `${span(chart.metric.size_ms)} windows${chart.filter === "not filtered" ? " · not filtered" : ""}`;

const marksOf = (chart) => marks(alerts.value?.all ?? [], chart);

// Beside is a tile with room for the aggregates that its value is made from.
function Beside({ tile, pressed }) {
  const { metric, row } = tile;
  const unit = (name) => (/^p\d+$/.test(name) ? metric.unit : "");
  return html`<section class="card beside" aria-label=${metric.title}>
    <${Tile} tile=${tile} pressed=${pressed}>
      <span class="aggregates">${metric.aggregates.map((name) => html`<span><span class="note">${name}</span> ${text(row?.aggregates[name] ?? null, unit(name))}</span>`)}</span>
    <//>
  </section>`;
}

// Waiting has the shape of the page, so that nothing moves when the first numbers come. The live channel can be in the way
// of a proxy that knows no WebSockets, while REST answers.
function Waiting() {
  const silent = metrics.value !== null && connection.value.state === "waiting";
  return html`<main class="page" aria-busy="true">
    <h1 class="hidden">Live</h1>
    <div class="filters"></div>
    <section class="card tiles" data-columns="6">${Array.from({ length: 6 }, (_, i) => html`<div class="tile" key=${i}><div class="tile-face"><span class="tile-head">${" "}</span><span class="tile-line"><span class="tile-value note">–</span></span><${Spark} values=${[]} /></div></div>`)}</section>
    <div class="split alone"><section class="card figure">${trouble.value && html`<p class="empty">The server does not answer: ${trouble.value.message}</p>`}
      ${silent && !trouble.value && html`<div class="nothing"><h2>The live channel can't be reached</h2><p>The server answers, but its WebSocket <code>/api/v1/live</code> does not open: a proxy on the way may not let it through.</p>
        <p>What is over can be looked at without it: <a href="#history">History</a>, <a href="#alerts">Alerts</a>.</p></div>`}</section></div>
  </main>`;
}
