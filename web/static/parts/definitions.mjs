import { span, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import { get } from "../lib/rest.mjs";
import { metrics } from "../lib/state.mjs";

// atLeast reads a number of records or sessions, or numbers by aggregate.
function atLeast(samples) {
  if (samples === null || typeof samples !== "object") return whole(samples);
  return Object.entries(samples).map(([name, n]) => `${whole(n)} ${name}`).join(", ") || "–";
}

// Definitions are the metrics and the rules in force. They change with a restart only.
export function Definitions() {
  const { answer, trouble } = useAnswer("definitions", () => get("/definitions"));
  if (metrics.value === null) return null;
  const rules = answer?.alerts ?? [];
  return html`<section class="card" aria-labelledby="definitions">
    <header class="card-head"><h2 id="definitions">Definitions in force</h2><span class="note">${whole(metrics.value.length)} metrics, ${whole(rules.length)} alert rules</span>
      <a class="head-link" href="/api/v1/definitions">As YAML</a></header>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of definitions"><table class="definitions">
      <thead><tr><th scope="col">Metric</th><th scope="col">Window</th><th scope="col">By</th><th scope="col">Value</th><th scope="col">Unit</th><th scope="col">Panes</th><th scope="col">Hash</th></tr></thead>
      <tbody>${metrics.value.map((m) => html`<tr key=${m.name}>
        <th scope="row" title=${m.description}>${m.title}<br /><code class="note">${m.name}</code></th>
        <td>${span(m.size_ms)}${m.slide_ms !== m.size_ms ? ` every ${span(m.slide_ms)}` : ""}${m.kind === "session" ? ", closed sessions" : ""}</td>
        <td>${m.group_by.join(", ") || "–"}</td>
        <td><code>${m.formula}</code></td>
        <td>${m.unit}</td>
        <td>${span(m.pane_ms)}</td>
        <td><code class="note" title=${m.hash}>${m.hash.slice(0, 8)}</code></td>
      </tr>`)}</tbody>
    </table></div>
    ${trouble && html`<p class="empty">The rules can't be read: ${trouble.message}</p>`}
    ${rules.length > 0 && html`<div class="scroll rules" tabindex="0" role="region" aria-label="Table of alert rules"><table class="definitions">
      <thead><tr><th scope="col">Alert rule</th><th scope="col">Severity</th><th scope="col">On</th><th scope="col">When</th><th scope="col">For</th><th scope="col">At least</th></tr></thead>
      <tbody>${rules.map((r) => html`<tr key=${r.name}>
        <th scope="row"><code>${r.name}</code></th>
        <td>${String(r.severity ?? "").toLowerCase()}</td>
        <td><code>${r.on}</code></td>
        <td><code>${r.when}</code></td>
        <td>${r.for ?? "–"}</td>
        <td>${atLeast(r.min_samples)}</td>
      </tr>`)}</tbody>
    </table></div>`}
  </section>`;
}
