import { marks } from "../lib/alerts.mjs";
import { isMoney } from "../lib/catalogue.mjs";
import { span, stamp } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import * as prefs from "../lib/prefs.mjs";
import { chart as lines, frame, groupOf, query } from "../lib/range.mjs";
import { clockAhead, get } from "../lib/rest.mjs";
import { metrics, now, trouble } from "../lib/state.mjs";
import { useMemo } from "../vendor/hooks.mjs";
import { Chart } from "./chart.mjs";
import { Groups } from "./groups.mjs";
import { HistoryFilters } from "./history-filters.mjs";

const SERIES = 30; // groups that are listed

// History is any metric over any time that is kept.
export function History() {
  const choice = prefs.choices.history.value;
  if (metrics.value === null) return html`<${Skeleton} says=${trouble.value && `The server does not answer: ${trouble.value.message}`} />`;
  const metric = metrics.value.find((m) => m.name === choice.metric) ?? (choice.metric === null ? first(metrics.value) : null);
  if (metric === null) {
    return html`<main class="page"><h1 class="hidden">History</h1><section class="card nothing">
      <h2>There is no metric <code>${choice.metric}</code></h2>
      <p>The definitions in force have ${metrics.value.length} others.</p>
      <p><button class="button" onClick=${() => prefs.choose({ metric: null, group: {} })}>Show ${first(metrics.value).title}</button></p>
    </section></main>`;
  }
  return html`<${Metric} metric=${metric} choice=${choice} />`;
}

const first = (list) => list.find((m) => m.type === "PAGE_VIEWS_PER_SECOND") ?? list.find((m) => m.group_by.length === 0) ?? list[0];

function Metric({ metric, choice }) {
  const asked = frame(metric, choice, now.peek() + clockAhead);
  const group = groupOf(metric, choice.group);
  const key = JSON.stringify([metric.name, metric.hash, choice.period, choice.from, choice.to, asked.step, choice.compare, group]);
  const every = asked.fixed && asked.to < now.peek() ? 0 : Math.min(60_000, Math.max(10_000, asked.unit));
  const { answer, current, trouble: problem } = useAnswer(key, () => load(metric, choice, group), { every });
  const drawn = useMemo(() => answer && lines(answer.metric, answer.asked, answer), [answer]);
  const mine = answer?.metric.name === metric.name; // what another metric was says nothing here
  return html`<main class="page" aria-busy=${!current && !problem} data-key=${current ? "current" : "awaited"}>
    <h1 class="hidden">History</h1>
    <${HistoryFilters} metric=${metric} choice=${choice} asked=${asked} path=${`/metrics/${encodeURIComponent(metric.name)}/history?${query(asked, { group })}`} />
    ${problem && html`<${Problem} problem=${problem} kept=${mine} />`}
    ${!mine || !drawn
      ? !problem && html`<${Figureless} />`
      : html`<div class=${`split past-split${metric.group_by.length > 0 ? "" : " alone"}${current ? "" : " awaited"}`}>
          <${Drawn} answer=${answer} chart=${drawn} choice=${choice} />
          ${metric.group_by.length > 0 && html`<${Groups} metric=${metric} series=${answer.all} shown=${answer.series?.group ?? null} asked=${answer.asked} more=${answer.more} />`}
        </div>
        <${Alerted} list=${answer.alerts} chart=${drawn} />`}
  </main>`;
}

// load asks for the series that is shown, the one before it, the groups beside it, and the alerts of that time.
async function load(metric, choice, group) {
  const asked = frame(metric, choice, Date.now() + clockAhead);
  const path = (options) => `/metrics/${encodeURIComponent(metric.name)}/history?${query(asked, options)}`;
  const split = metric.group_by.length > 0;
  const picked = Object.keys(group).length > 0;
  const [all, one, alerts] = await Promise.all([
    split ? get(path({ limit: SERIES })) : null,
    !split || picked ? get(path({ group, limit: 1 })) : null,
    get(`/alerts?from=${asked.from}&to=${asked.to + 1}&limit=1000`),
  ]);
  // Amounts of different currencies can't be compared: how often there are some can.
  if (split && isMoney(metric)) all.series.sort((a, b) => named(b) - named(a) || b.points.length - a.points.length);
  const said = one ?? all;
  const series = said.series[0] ?? null;
  let before;
  if (choice.compare === "previous") before = (await get(path({ shift: asked.shift, group: series?.group ?? group, limit: 1 }))).series[0] ?? null;
  return {
    metric, asked, series, before, all: all?.series ?? [], alerts: alerts.alerts.filter((a) => a.evidence.window?.metric === metric.name),
    watermark: said.watermark_ms, partial: said.partial, estimate: said.estimate, error: said.relative_error, warnings: (one ?? all).warnings.filter((w) => !leftOut(w)), more: all?.warnings.some(leftOut) ?? false,
  };
}

const named = (series) => (Object.values(series.group).some((name) => name === "(none)" || name === "(other)") ? 0 : 1);

// What is left out of the list of groups is said there.
const leftOut = (warning) => warning.includes("more series are left out");

function Drawn({ answer, chart, choice }) {
  const { metric, asked } = answer;
  if (chart.closed.every((v) => v === null)) return html`<${NoData} answer=${answer} chart=${chart} />`;
  return html`<div class="past-chart">
    <${Chart} chart=${chart} marks=${marks(answer.alerts, chart)} past=${false} note=${over(metric, asked)} select=${(from, to) => prefs.closer(chart, from, to)}
      table=${choice.view === "table"} setTable=${(on) => prefs.choose({ view: on ? "table" : "chart" })} />
    <${Notes} answer=${answer} chart=${chart} />
  </div>`;
}

// over says what a point is computed over.
function over(metric, asked) {
  if (asked.step !== null) return `each point over ${span(asked.step)}`;
  return metric.size_ms === metric.slide_ms ? `${span(metric.size_ms)} windows` : `${span(metric.size_ms)} windows, every ${span(metric.slide_ms)}`;
}

// Notes says how far the numbers can be trusted.
function Notes({ answer, chart }) {
  const { metric, estimate, error, partial, watermark, warnings } = answer;
  const notes = [metric.description];
  if (estimate) notes.push(`An estimate${error > 0 ? `, typically within ${(error * 100).toFixed(1)} %` : ""}.`);
  if (partial && watermark !== null) notes.push(`Closed up to ${stamp(watermark, chart)}; what is later is still open.`);
  if (metric.from_ms !== null && metric.from_ms > chart.left) notes.push(`Whole windows begin at ${stamp(metric.from_ms, chart)}.`);
  return html`<p class="note past-notes">${notes.join(" ")} ${warnings.map((w) => html`<span class="busy-text" key=${w}>${w} </span>`)}</p>`;
}

function NoData({ answer, chart }) {
  const { metric, watermark } = answer;
  const named = Object.keys(prefs.choices.history.value.group).length > 0;
  return html`<section class="card nothing">
    <h2>${named ? "Nothing matches the filter" : "No closed window in this time has data"}</h2>
    <p>${watermark === null ? "No event has arrived yet." : `${metric.title} from ${stamp(chart.left, chart)} to ${stamp(chart.right, chart)} has no value${watermark < chart.left ? `: the data ends at ${stamp(watermark, chart)}` : ""}.`}</p>
    <p class="choices">${named && html`<button class="button" onClick=${() => prefs.choose({ group: {} })}>Without the filter</button>`}
    <button class="button" onClick=${() => prefs.choose({ from: null, to: null, step: null, period: "30d" })}>The last 30 days</button></p>
  </section>`;
}

const Problem = ({ problem, kept }) => html`<p class="card trouble" role="alert"><strong>${problem.status === 422 ? "That is too much to read at once" : problem.status === 0 ? "The server can't be reached" : "The server can't answer that"}</strong>
  <span>${problem.message}${kept ? ". What is shown is the answer before." : ""}</span></p>`;

// Alerted lists the alerts that began in the time that is shown.
function Alerted({ list, chart }) {
  if (list.length === 0) return null;
  return html`<section class="card" aria-labelledby="past-alerts">
    <header class="card-head"><h2 id="past-alerts">Alerts on it in this time</h2><span class="note">${list.length}</span></header>
    <ul class="links">${list.slice(0, 20).map((a) => html`<li key=${a.id} class=${`alert ${a.severity.toLowerCase()}${a.state === "firing" ? "" : " over"}`}>
      <a class="alert-face" href=${prefs.address("alerts", { id: a.id })}><span class="alert-title"><span class="hidden">${a.severity.toLowerCase()}: </span>${a.title}</span>
      <span class="note">${stamp(a.started_at_ms, chart)} · ${a.ended_at_ms === null ? "firing" : `resolved ${stamp(a.ended_at_ms, chart)}`}</span></a></li>`)}</ul>
    ${list.length > 20 && html`<p class="note">${list.length - 20} more.</p>`}
  </section>`;
}

const Figureless = () => html`<div class="split alone"><section class="card figure skeleton" aria-label="The chart is being read"><span></span><span></span><span></span></section></div>`;

const Skeleton = ({ says }) => html`<main class="page" aria-busy="true"><h1 class="hidden">History</h1><div class="filters"></div>
  ${says ? html`<p class="card trouble" role="alert">${says}</p>` : html`<${Figureless} />`}</main>`;
