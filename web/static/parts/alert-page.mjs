import { marks } from "../lib/alerts.mjs";
import { age, clock, day, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import * as prefs from "../lib/prefs.mjs";
import { chart as lines, frame, query } from "../lib/range.mjs";
import { clockAhead, get } from "../lib/rest.mjs";
import { alertsBeat, metrics, now } from "../lib/state.mjs";
import { useState } from "../vendor/hooks.mjs";
import { Chart } from "./chart.mjs";
import { evidence, Facts } from "./evidence.mjs";

const AROUND = 30 * 60_000; // ms that are shown before and after, or 30 windows if that is longer

// AlertPage is one alert: why it fired, what it rests on, what became of it, and its metric at that time.
export function AlertPage({ id }) {
  const { answer: alert, current, trouble } = useAnswer(id, () => get(`/alerts/${encodeURIComponent(id)}`), { beat: alertsBeat.value, every: 60_000 });
  const back = html`<p><a href=${prefs.address("alerts", { id: null })}>‹ All alerts</a></p>`;
  if (trouble && (alert === null || !current)) {
    return html`<main class="page">${back}<section class="card nothing"><h1>${trouble.status === 404 ? "There is no such alert" : "The server can't answer that"}</h1>
      <p>${trouble.status === 404 ? "It was resolved so long ago that it is no longer kept, or it never was." : trouble.message}</p></section></main>`;
  }
  if (alert === null || !current) {
    return html`<main class="page" aria-busy="true">${back}<h1 class="hidden">Alert</h1><section class="card skeleton list-skeleton"><span></span><span></span><span></span></section></main>`;
  }
  const firing = alert.state === "firing";
  return html`<main class="page" data-key="current">
    ${back}
    <section class=${`card alert-head alert ${alert.severity.toLowerCase()}${firing ? "" : " over"}`} data-alert=${alert.id}>
      <p class="note"><span class="badge">${alert.severity.toLowerCase()}</span> ${firing ? html`<strong>firing</strong> since ${moment(alert.started_at_ms)}, for ${age(Math.max(0, now.value + clockAhead - alert.started_at_ms))}` : `resolved ${moment(alert.ended_at_ms)}, after ${age(alert.ended_at_ms - alert.started_at_ms)}`}</p>
      <h1>${alert.title}</h1>
      <p class="alert-text">${alert.description}</p>
      ${alert.recommended_action && html`<p class="alert-do"><strong>What to do</strong> ${alert.recommended_action}</p>`}
    </section>
    <div class="split">
      <div class="past-chart"><${Around} alert=${alert} /></div>
      <div class="aside">
        <section class="card" aria-labelledby="rests"><header class="card-head"><h2 id="rests">What it rests on</h2></header>
          <${Facts} rows=${evidence({ ...alert, description: null, recommended_action: null }, alert.corrected)} /></section>
        <section class="card" aria-labelledby="transitions"><header class="card-head"><h2 id="transitions">Transitions</h2></header>
          <table class="plain"><thead><tr><th scope="col">State</th><th scope="col">At</th><th scope="col" class="num">Feed</th></tr></thead>
          <tbody>${alert.transitions.map((t) => html`<tr key=${t.seq}><th scope="row">${t.state}</th><td>${moment(t.at_ms)}</td><td class="num note">${whole(t.seq)}</td></tr>`)}</tbody></table></section>
      </div>
    </div>
  </main>`;
}

const moment = (ms) => `${day(ms)} ${clock(ms)}`;

// Around is the metric of an alert before, while and after it fired.
function Around({ alert }) {
  const [table, setTable] = useState(false);
  const { window } = alert.evidence;
  const metric = metrics.value?.find((m) => m.name === window?.metric) ?? null;
  const margin = metric && Math.max(AROUND, 30 * metric.size_ms);
  const last = alert.ended_at_ms ?? alert.started_at_ms;
  const choice = metric && { from: alert.started_at_ms - margin, to: Math.min(last + margin, Math.max(last, now.peek() + clockAhead)) + metric.slide_ms, step: null };
  const { answer, trouble } = useAnswer(metric && `${alert.id} ${alert.seq}`, async () => {
    const asked = frame(metric, choice, Date.now() + clockAhead);
    const said = await get(`/metrics/${encodeURIComponent(metric.name)}/history?${query(asked, { group: alert.group, limit: 1 })}`);
    return lines(metric, asked, { series: said.series[0] ?? null, watermark: said.watermark_ms });
  }, { every: alert.state === "firing" ? 10_000 : 0 });
  if (metric === null) {
    return html`<section class="card nothing"><h2>${window ? "Its metric is no longer in force" : "It rests on records, not on a metric"}</h2>
      ${window && html`<p>The definitions have no metric <code>${window.metric}</code> any more.</p>`}</section>`;
  }
  if (answer === null) return trouble ? html`<p class="card trouble" role="alert">${trouble.message}</p>` : html`<section class="card figure skeleton"><span></span><span></span><span></span></section>`;
  const there = prefs.address("history", { metric: metric.name, from: Math.round(choice.from), to: Math.round(choice.to), step: null, group: alert.group, view: "chart" });
  return html`<${Chart} chart=${answer} marks=${marks([alert], answer)} past=${false} note="" table=${table} setTable=${setTable} select=${(from, to) => prefs.closer(answer, from, to)} />
    <p class="past-notes"><a href=${there}>${metric.title} at that time</a></p>`;
}
