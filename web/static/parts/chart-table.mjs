import { stamp } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useState } from "../vendor/hooks.mjs";

const ROWS = 120; // more are shown when asked for

// ChartTable is the chart's points, the newest first.
export function ChartTable({ chart, show }) {
  const [limit, setLimit] = useState(ROWS);
  const last = chart.times.findLastIndex((_, i) => chart.closed[i] !== null || chart.open[i] !== null);
  const rows = Array.from({ length: Math.min(limit, last + 1) }, (_, i) => last - i);
  return html`<div class="scroll table-box" tabindex="0" role="region" aria-label=${chart.metric.title + " as a table"}>
    <table>
      <thead><tr><th scope="col">Up to</th><th scope="col" class="num">Value</th>${chart.earlier && html`<th scope="col" class="num">${chart.earlier}</th>`}<th scope="col"><span class="hidden">State</span></th></tr></thead>
      <tbody>${rows.map((i) => {
        const open = chart.closed[i] === null && chart.open[i] !== null;
        return html`<tr key=${chart.times[i]} data-at=${chart.times[i]}><th scope="row">${stamp(chart.times[i], chart)}</th><td class="num">${show(open ? chart.open[i] : chart.closed[i])}</td>${chart.earlier && html`<td class="num note">${show(chart.before[i])}</td>`}<td class="note">${open ? "still open" : ""}</td></tr>`;
      })}</tbody>
    </table>
    ${last + 1 > limit && html`<button class="button more" onClick=${() => setLimit(limit * 4)}>${last + 1 - limit} more</button>`}
  </div>`;
}
