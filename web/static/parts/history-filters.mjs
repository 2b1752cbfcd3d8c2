import { PERIODS } from "../lib/address.mjs";
import { groupName, keyName, span } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { steps } from "../lib/range.mjs";
import { metrics } from "../lib/state.mjs";
import { useState } from "../vendor/hooks.mjs";
import { Chip, Segments, Select } from "./controls.mjs";
import { Export } from "./export.mjs";

// HistoryFilters chooses metric, time, step, groups and comparison.
export function HistoryFilters({ metric, choice, asked, path }) {
  const length = asked.to - asked.from;
  const fixed = choice.from !== null;
  const own = metric.slide_ms === metric.size_ms ? `${span(metric.size_ms)} windows` : `${span(metric.size_ms)} every ${span(metric.slide_ms)}`;
  const auto = asked.step === null || choice.step === null ? `auto (${asked.step === null ? own : span(asked.step)})` : "auto";
  const options = steps(metric, length).map((s) => [String(s), span(s)]);
  const move = (by) => prefs.go("history", moved(asked, choice, by));
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

// moved is the time before or after the one that is shown, as long as that. Going there and back leads to where one was.
function moved(asked, choice, by) {
  const [from, to] = asked.fixed ? [choice.from, choice.to ?? asked.to] : [asked.from, Math.ceil(asked.to / asked.unit) * asked.unit];
  return { from: from + by * (to - from), to: to + by * (to - from) };
}

function without(group, key) {
  const { [key]: _, ...rest } = group;
  return rest;
}

// Moment is a date and time of day, in the time zone of whoever looks, as text: the browser's own field for it counts hours
// as the system does, which need not be how the rest of the page does. It is taken when it is left, or by Enter.
function Moment({ label, value, choose }) {
  const [wrong, setWrong] = useState(false);
  const local = new Date(value - new Date(value).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace("T", " ");
  const take = (event) => {
    const text = event.target.value.trim();
    if (text === local) return setWrong(false);
    const at = /^\d{4}-\d\d?-\d\d?( \d\d?:\d\d(:\d\d)?)?$/.test(text) ? new Date(text.includes(" ") ? text : `${text} 00:00`).getTime() : NaN;
    setWrong(Number.isNaN(at) || choose(at) === false);
  };
  return html`<input class="moment" type="text" inputmode="numeric" aria-label=${`${label}, as 2026-11-26 14:05`} aria-invalid=${wrong} title=${wrong ? "Not a time in this range: write it as 2026-11-26 14:05" : label}
    value=${local} onBlur=${take} onKeyDown=${(event) => event.key === "Enter" && take(event)} autocomplete="off" spellcheck=${false} />`;
}
