import { groupName, stamp, text } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.mjs";
import { ChartTable } from "./chart-table.mjs";
import { Titled } from "./titled.mjs";
import { makePlot } from "./plot.mjs";

// Chart is a metric over the period, as a figure: a summary in a sentence, the drawing, and the same as a table. select is
// told what part of it was marked with the mouse.
export function Chart({ chart, marks, past, note, table, setTable, select }) {
  const { metric, currency } = chart;
  const show = (v) => text(v, metric.unit, { currency, estimate: metric.estimate });
  const name = [metric.title, ...Object.entries(chart.group).map(([key, value]) => groupName(value, key).name)].join(", ");
  return html`<figure class="card figure" aria-labelledby="chart-title" data-metric=${metric.name} data-marks=${marks.length} data-points=${chart.closed.filter((v) => v !== null).length}>
    <header class="card-head">
      <${Titled} metric=${metric} id="chart-title" name=${name} />
      <span class="note">${note}</span>
      <span class="legend"><span><i class="legend-line"></i>closed</span><span><i class="legend-line open"></i>still open</span>${chart.earlier && html`<span><i class="legend-line before"></i>${chart.earlier}${chart.before.every((v) => v === null) ? ": no data" : ""}</span>`}</span>
      <button class="button quiet" aria-pressed=${table} onClick=${() => setTable(!table)}>${table ? "Chart" : "Table"}</button>
    </header>
    <figcaption class="hidden">${summary(chart, show)}${marks.map((m) => ` An alert, ${m.severity.toLowerCase()}, at ${stamp(m.at, chart)}: ${show(m.value)}.`)}</figcaption>
    ${chart.closed.every((v) => v === null) && chart.open.every((v) => v === null) && html`<p class="no-points">${name} has no value in this time.</p>`}
    ${table ? html`<${ChartTable} chart=${chart} show=${show} />` : html`<${Drawing} chart=${chart} marks=${marks} past=${past} show=${show} select=${select} />`}
  </figure>`;
}

function summary(chart, show) {
  const { metric, closed, times, left, right, watermark } = chart;
  const known = closed.filter((v) => v !== null);
  if (known.length === 0) return `${metric.title}: no closed window in this period yet.`;
  const last = closed.findLastIndex((v) => v !== null);
  return `${metric.title} from ${stamp(left, chart)} to ${stamp(Math.min(right, watermark), chart)}: ` +
    `${show(closed[last])} at ${stamp(times[last], chart)}, lowest ${show(Math.min(...known))}, highest ${show(Math.max(...known))}.`;
}

function Drawing({ chart, marks, past, show, select }) {
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(null);
  latest.current = select;
  const [cursor, setCursor] = useState(null);
  const [spoken, setSpoken] = useState("");

  useLayoutEffect(() => {
    plot.current = makePlot(box.current, { moved: setCursor, marked: (from, to) => latest.current?.(from, to) });
    return () => plot.current.destroy();
  }, []);
  useLayoutEffect(() => plot.current.show(chart, marks), [chart, JSON.stringify(marks)]);
  useEffect(() => plot.current.repaint(), [prefs.dark.value, past]);

  const at = cursor === null ? null : reading(chart, cursor.index, show);
  const step = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const last = chart.times.length - 1;
    const index = Math.min(last, Math.max(0, (cursor?.index ?? last + 1) + by));
    plot.current.point(index);
    const now = reading(chart, index, show);
    if (now) setSpoken(`${now.time}: ${now.value}${now.open ? ", still open" : ""}${now.before ? `, earlier ${now.before}` : ""}`);
  };
  return html`<div class="drawing">
    <div class="plot" ref=${box} tabindex="0" role="img" aria-label=${summary(chart, show)} onKeyDown=${step}></div>
    ${at && html`<div class="reading" style=${{ transform: `translateX(${cursor.flip ? `calc(${cursor.x - 12}px - 100%)` : `${cursor.x + 12}px`})` }}>
      <span class="note">${at.time}</span>
      <span><i class="legend-line"></i><strong>${at.value}</strong>${at.open ? html` <span class="note">still open</span>` : null}</span>
      ${at.before && html`<span><i class="legend-line before"></i>${at.before}</span>`}
    </div>`}
    <span class="hidden" role="status">${spoken}</span>
  </div>`;
}

// reading is what the lines say at one place.
function reading(chart, index, show) {
  if (index === null || index >= chart.times.length) return null;
  const closed = chart.closed[index];
  const before = chart.before[index];
  const open = closed === null && chart.open[index] !== null;
  return {
    time: stamp(chart.times[index], chart), value: show(open ? chart.open[index] : closed), open,
    before: before === null ? null : show(before),
  };
}
