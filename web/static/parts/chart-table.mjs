import { clock, span } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";

const ROWS = 60;

// ChartTable is the chart's points, the newest first: all of them, or as many as people read.
export function ChartTable({ chart, show }) {
  const every = Math.ceil(chart.times.length / ROWS);
  const rows = [];
  const last = chart.times.findLastIndex((_, i) => chart.closed[i] !== null || chart.open[i] !== null);
  for (let i = last; i >= 0; i -= every) rows.push(i);
  return html`<div class="scroll table-box" tabindex="0" role="region" aria-label=${chart.metric.title + " as a table"}>
    <table>
      <thead><tr><th scope="col">Window to</th><th scope="col" class="num">Value</th><th scope="col" class="num">${span(chart.period)} earlier</th><th scope="col"><span class="hidden">State</span></th></tr></thead>
      <tbody>${rows.map((i) => {
        const open = chart.closed[i] === null && chart.open[i] !== null;
        return html`<tr key=${chart.times[i]}><th scope="row">${clock(chart.times[i])}</th><td class="num">${show(open ? chart.open[i] : chart.closed[i])}</td><td class="num note">${show(chart.before[i])}</td><td class="note">${open ? "still open" : ""}</td></tr>`;
      })}</tbody>
    </table>
  </div>`;
}
