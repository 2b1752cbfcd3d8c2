import { isMoney } from "../lib/catalogue.mjs";
import { groupName, keyName as words, value } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { useState } from "../vendor/hooks.mjs";
import { Spark } from "./spark.mjs";

const ROWS = 8;

// Groups are the series of a metric that is split, the largest first, each with its shape and last value; one of them is in
// the chart. What is not among them can be asked for by name.
export function Groups({ metric, series, shown, asked, more }) {
  const [limit, setLimit] = useState(ROWS);
  const same = (group) => shown !== null && metric.group_by.every((key) => group[key] === shown[key]);
  return html`<section class="card groups" aria-labelledby="groups">
    <header class="card-head"><h2 id="groups">${words(metric.group_by.join(", "))}</h2><span class="note">${isMoney(metric) ? "the most frequent first" : `${metric.unit}, the largest first`}</span></header>
    <ul>${series.slice(0, limit).map((one) => html`<li key=${JSON.stringify(one.group)}>
      <button class="group-row" aria-pressed=${same(one.group)} onClick=${() => prefs.choose({ group: { ...one.group } })}>
        <span class="row-name" title=${label(metric, one.group)}>${label(metric, one.group)}</span>
        <${Spark} values=${shape(one, asked)} />
        <span class="row-value">${bare(one.points.at(-1)?.[1] ?? null, metric, one.group)}</span>
      </button>
    </li>`)}</ul>
    ${series.length > limit && html`<button class="button" onClick=${() => setLimit(limit + 30)}>${series.length - limit} more</button>`}
    ${metric.group_by.map((key) => html`<${Ask} key=${key} name=${key} />`)}
    ${more && series.length <= limit && html`<p class="note small">Smaller ones can be asked for by name.</p>`}
  </section>`;
}

// bare is a value without what the head of the list says.
const bare = (v, metric, group) => {
  const { number, unit } = value(v, metric.unit, { currency: group.currency });
  return unit && unit.length <= 3 ? `${number} ${unit}` : number;
};
const label = (metric, group) => metric.group_by.map((key) => groupName(group[key], key).name).join(" · ");

// Ask is for a group by its exact name.
function Ask({ name }) {
  const ask = (event) => {
    event.preventDefault();
    const asked = event.target.elements.value.value;
    if (asked === "") return;
    prefs.choose({ group: { ...prefs.choices.history.peek().group, [name]: asked } });
    event.target.reset();
  };
  return html`<form class="ask" onSubmit=${ask}><input name="value" data-filter placeholder=${`${words(name)}, exactly`} aria-label=${`${words(name)}, exactly`} autocomplete="off" spellcheck=${false} /><button class="button">Show</button></form>`;
}

// shape is the line of one group at all places: 0 says nothing of where a group has no point.
function shape(one, asked) {
  const known = new Map(one.points);
  const every = Math.max(1, Math.ceil((asked.to - asked.from) / asked.unit / 80));
  const values = [];
  for (let t = asked.from; t < asked.to; t += every * asked.unit) values.push(known.get(t) ?? null);
  return values;
}
