import { bytes, span, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import { get } from "../lib/rest.mjs";
import { metrics } from "../lib/state.mjs";

// atLeast reads a number of records or sessions, or numbers by aggregate.
function atLeast(samples) {
  if (samples === null || typeof samples !== "object") return whole(samples);
  return Object.entries(samples).map(([name, n]) => `${whole(n)} ${name}`).join(", ") || "–";
}

const read = async () => {
  const [definitions, plan] = await Promise.all([get("/definitions"), get("/definitions/plan")]);
  return { rules: definitions.alerts ?? [], plan };
};

// Definitions are the metrics, the sessions and the rules in force, and what they compile to. They change with a restart only.
export function Definitions() {
  const { answer, trouble } = useAnswer("definitions", read);
  if (metrics.value === null) return null;
  const { rules, plan } = answer ?? { rules: [], plan: null };
  return html`<section class="card" aria-labelledby="definitions">
    <header class="card-head"><h2 id="definitions">Definitions in force</h2><span class="note">${whole(metrics.value.length)} metrics, ${whole(rules.length)} alert rules${plan && ` · state estimated at ${bytes(plan.state_bytes)} of ${bytes(plan.state_budget_bytes)} at most`}</span>
      <a class="head-link" href="/api/v1/definitions">YAML</a></header>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of definitions"><table class="definitions">
      <thead><tr><th scope="col">Metric</th><th scope="col">Window</th><th scope="col">By</th><th scope="col">Value, and what it is made from</th><th scope="col">Unit</th><th scope="col" class="num" title="Groups in a pane, as assumed for the estimate">Rows</th><th scope="col" class="num" title="Estimated, each by itself">State</th><th scope="col">Hash</th></tr></thead>
      <tbody>
        ${metrics.value.map((m) => html`<${Metric} key=${m.name} metric=${m} plan=${plan?.metrics.find((p) => p.name === m.name)} />`)}
        ${plan?.sessions.map((k) => html`<${Sessions} key=${k.name} kind=${k} />`)}
      </tbody>
    </table></div>
    ${trouble && html`<p class="empty">The plan and the rules can't be read: ${trouble.message}</p>`}
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

const Metric = ({ metric: m, plan }) => html`<tr>
  <th scope="row" title=${m.description}>${m.title}<br /><code class="note">${m.name}</code></th>
  <td>${span(m.size_ms)}${m.slide_ms !== m.size_ms ? ` every ${span(m.slide_ms)}` : ""}${m.kind === "session" ? ", closed sessions" : ""}<br /><span class="note">${whole(m.size_ms / m.pane_ms)} × ${span(m.pane_ms)} panes</span></td>
  <td>${m.group_by.join(", ") || "–"}</td>
  <td class="made"><code>${m.formula}</code><${Accumulators} list=${plan?.accumulators} /></td>
  <td>${m.unit}</td>
  <td class="num">${whole(plan?.rows)}</td>
  <td class="num">${bytes(plan?.state_bytes)}</td>
  <td><code class="note" title=${m.hash}>${m.hash.slice(0, 8)}</code></td>
</tr>`;

const Sessions = ({ kind: k }) => html`<tr>
  <th scope="row">Sessions<br /><code class="note">${k.name}</code></th>
  <td>–</td><td>–</td><td class="made"><${Accumulators} list=${k.accumulators} /></td><td>–</td>
  <td class="num">${whole(k.open)}</td><td class="num">${bytes(k.state_bytes)}</td>
  <td><code class="note" title=${k.hash}>${k.hash.slice(0, 8)}</code></td>
</tr>`;

const Accumulators = ({ list = [] }) => list.map((one) => html`<code class="note" key=${one}>${one}</code>`);
