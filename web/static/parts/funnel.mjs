import { clock, keyName, percent, value } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { Titled } from "./titled.mjs";

// Funnel is a metric whose aggregates are steps, each a part of the one before: columns as high as their share of the first.
export function Funnel({ funnel }) {
  const { metric, steps, start, end, filter } = funnel;
  const id = `funnel-${metric.name}`;
  const time = (ms) => clock(ms, { seconds: metric.slide_ms < 60_000 });
  return html`<section class="card funnel" aria-labelledby=${id} data-metric=${metric.name} data-window=${end}>
    <header class="card-head">
      <${Titled} metric=${metric} id=${id} name=${`${metric.title}, by step`} />
      ${start !== null && html`<span class="note">${filter === "not filtered" ? "not filtered · " : ""}${time(start)} – ${time(end)}</span>`}
    </header>
    ${steps.length === 0 ? html`<p class="empty">No window has closed yet.</p>` : html`<ol>${steps.map((s) => html`<${Step} key=${s.name} step=${s} estimate=${metric.estimate} />`)}</ol>`}
  </section>`;
}

function Step({ step, estimate }) {
  const { sign, number } = value(step.value, "", { estimate });
  return html`<li>
    <span class="step-column"><span style=${{ transform: `scaleY(${Math.max(step.ofFirst ?? 0, step.value > 0 ? 0.01 : 0).toFixed(4)})` }}></span></span>
    <strong class="step-name" title=${step.name}>${keyName(step.name)}</strong>
    <span class="step-value">${sign && html`<span class="sign" aria-label="about">${sign}</span>`}<span class="number">${number}</span></span>
    <span class="note">${percent(step.ofFirst)}${step.before && html`<br />${percent(step.ofBefore)} of ${keyName(step.before)}`}</span>
  </li>`;
}
