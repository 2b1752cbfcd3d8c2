import { PERIODS } from "../lib/address.mjs";
import { groupName, keyName, span } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { steps } from "../lib/range.mjs";
import { metrics } from "../lib/state.mjs";
import { Chip, Segments, Select } from "./controls.mjs";
import { Export } from "./export.mjs";

// HistoryFilters chooses metric, time, step, groups and comparison.
export function HistoryFilters({ metric, choice, asked, path }) {
  const length = asked.to - asked.from;
  const fixed = choice.from !== null;
  const own = metric.slide_ms === metric.size_ms ? `${span(metric.size_ms)} windows` : `${span(metric.size_ms)} every ${span(metric.slide_ms)}`;
  const auto = asked.step === null || choice.step === null ? `auto (${asked.step === null ? own : span(asked.step)})` : "auto";
  const options = steps(metric, length).map((s) => [String(s), span(s)]);
  const move = (by) => prefs.go("history", { from: asked.from + by * length, to: asked.to + by * length });
  return html`<div class="filters">
    <${Select} label="Metric" first value=${metric.name} options=${metrics.value.map((m) => [m.name, m.title])} choose=${(name) => prefs.go("history", { metric: name, group: {}, step: null })} />
    <${Segments} label="Period" value=${fixed ? null : choice.period} options=${Object.entries(PERIODS.history).map(([name, ms]) => [name, span(ms)])}
      choose=${(period) => prefs.choose({ period, from: null, to: null, step: null })} />
    <div class="range" role="group" aria-label="From and to">
      <button class="button square" aria-label="Earlier" title="Earlier ([)" data-key="[" onClick=${() => move(-1)}>‹</button>
      <${Moment} label="From" value=${asked.from} choose=${(from) => from < asked.to && prefs.go("history", { from, to: asked.to, step: null })} />
      <span aria-hidden="true">–</span>
      <${Moment} label="To" value=${asked.to} choose=${(to) => to > asked.from && prefs.go("history", { from: asked.from, to, step: null })} />
      <button class="button square" aria-label="Later" title="Later (])" data-key="]" disabled=${!fixed} onClick=${() => move(1)}>›</button>
    </div>
    <${Select} label="Step" value=${String(choice.step !== null && asked.step === choice.step ? choice.step : "")} options=${[["", auto], ...options]} choose=${(s) => prefs.choose({ step: s === "" ? null : Number(s) })} />
    ${Object.entries(choice.group).filter(([key]) => metric.group_by.includes(key)).map(([key, value]) => html`<${Chip} key=${key} name=${keyName(key)} value=${groupName(value, key).name} remove=${() => prefs.choose({ group: without(choice.group, key) })} />`)}
    <div class="filters-end">
      <${Segments} label="Comparison" value=${choice.compare} options=${[["previous", "vs previous"], ["none", "alone"]]} choose=${(compare) => prefs.choose({ compare })} />
      <${Export} path=${path} name=${`${metric.name}-${new Date(asked.from).toISOString().slice(0, 10)}`} />
    </div>
  </div>`;
}

function without(group, key) {
  const { [key]: _, ...rest } = group;
  return rest;
}

// Moment is a date and time of day, in the time zone of whoever looks. It is taken when it is whole and left.
function Moment({ label, value, choose }) {
  const zone = new Date(value).getTimezoneOffset() * 60_000;
  const local = new Date(value - zone).toISOString().slice(0, 16);
  const take = (event) => {
    const at = new Date(event.target.value).getTime();
    if (event.target.value !== local && !Number.isNaN(at)) choose(at);
  };
  return html`<input class="moment" type="datetime-local" aria-label=${label} value=${local} onBlur=${take} onKeyDown=${(event) => event.key === "Enter" && take(event)} />`;
}
