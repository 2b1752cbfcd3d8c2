import { clock, span, text, value as parts } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { Arrow } from "./icons.mjs";
import { Spark } from "./spark.mjs";

export function Tiles({ tiles, chosen }) {
  const columns = tiles.length <= 6 ? tiles.length : 4;
  return html`<section class="card tiles" data-columns=${columns} aria-label="Metrics">
    ${tiles.map((t) => html`<${Tile} key=${t.metric.name} tile=${t} pressed=${t.metric.name === chosen} />`)}
  </section>`;
}

// Tile is one metric: its last closed value, how that compares, and the quarter of an hour before it.
export function Tile({ tile, pressed, children }) {
  const { metric, currency, row, value } = tile;
  const { sign, number, unit } = parts(value, metric.unit, { currency, estimate: metric.estimate });
  const tip = `tip-${metric.name}`;
  return html`<div class="tile">
    <button class="tile-face" aria-pressed=${pressed} aria-describedby=${tip} data-metric=${metric.name} data-window=${row?.window_end_ms}
      onClick=${() => prefs.choose({ metric: metric.name })}>
      <span class="tile-head"><span class="tile-title">${metric.title}</span><span class=${tile.filter === "not filtered" ? "tile-window unfiltered" : "tile-window"}>${currency ? html`<span class="tile-currency">${currency} · </span>` : null}${tile.filter === "not filtered" ? "not filtered" : span(metric.size_ms)}</span></span>
      <span class="tile-line">
        <span class="tile-value">${sign && html`<span class="sign" aria-label="about">${sign}</span>`}<span class="number">${number}</span>${unit && unit.length <= 3 && html`<span class="unit">${unit}</span>`}</span>
        <${Change} tile=${tile} />
      </span>
      ${children}
      <${Spark} values=${tile.spark} />
    </button>
    <div class="tip" role="tooltip" id=${tip}>
      <p>${metric.description || metric.title}</p>
      <p class="tip-more">${explain(tile)}</p>
    </div>
  </div>`;
}

function Change({ tile }) {
  const { change, firstClose } = tile;
  if (firstClose !== null) return html`<span class="change neutral">closes ${clock(firstClose)}</span>`;
  if (change === null) return null;
  const words = { up: "up", down: "down", same: "unchanged" }[change.direction];
  return html`<span class=${"change " + change.sense}>
    ${change.direction === "same" ? null : html`<${Arrow} up=${change.direction === "up"} />`}
    <span class="hidden">${words}${change.sense === "neutral" ? "" : ", " + change.sense} by </span>${change.text}
  </span>`;
}

function explain({ metric, currency, row, value, before, earlier, filter }) {
  const show = (v) => text(v, metric.unit, { currency });
  const lines = [];
  if (row) lines.push(`${clock(row.window_start_ms)} to ${clock(row.window_end_ms)}: ${show(value)}.`);
  if (before !== null) lines.push(`${earlier}: ${show(before)}.`);
  if (metric.relative_error > 0) lines.push(`An estimate, typically within ${(metric.relative_error * 100).toFixed(1)} %.`);
  if (filter === "not filtered") lines.push("It is not split by what the filter names, so it shows everything.");
  return lines.join(" ");
}
