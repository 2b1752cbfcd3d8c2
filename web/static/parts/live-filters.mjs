import { PERIODS } from "../lib/address.mjs";
import { groupName, keyName, span } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { useState } from "../vendor/hooks.mjs";
import { Chip, Segments, Select } from "./controls.mjs";
import { Export } from "./export.mjs";

const comparisons = [["previous", "vs previous"], ["week", "vs last week"], ["none", "alone"]];

// LiveFilters chooses period, groups, currency and comparison. Longer periods are on the page of history.
export function LiveFilters({ view }) {
  const { chart, currencies } = view;
  const currency = view.tiles.find((t) => t.currency)?.currency ?? null;
  const longer = prefs.address("history", { metric: chart?.metric.name ?? null, group: chart?.group ?? {}, period: "24h", from: null, to: null, step: null });
  return html`<div class="filters">
    <${Segments} label="Period" value=${prefs.period.value} options=${Object.entries(PERIODS.live).map(([name, ms]) => [name, span(ms)])} choose=${(period) => prefs.choose({ period })} />
    <a class="button" href=${longer} title="The main chart over days, on the page of history">Longer</a>
    <${Narrow} lists=${view.lists} />
    ${Object.entries(prefs.chips.value).map(([key, value]) => html`<${Chip} key=${key} name=${keyName(key)} value=${groupName(value, key).name} remove=${() => remove(key, view)} />`)}
    ${currencies.length > 1 && html`<${Select} label="Currency" value=${currency} options=${currencies.map((name) => [name, name])} choose=${(name) => prefs.choose({ currency: name })} />`}
    <div class="filters-end">
      <${Segments} label="Comparison" value=${prefs.compare.value} options=${comparisons} choose=${(compare) => prefs.choose({ compare })} />
      ${chart && html`<${Export} path=${pathOf(chart)} name=${chart.metric.name} />`}
    </div>
  </div>`;
}

// remove takes a chip away, and what it brought into the main chart.
function remove(key, view) {
  const { [key]: _, ...group } = prefs.chips.value;
  const chosen = view.lists.find((list) => list.metric.name === prefs.selected.value);
  prefs.choose({ group, metric: chosen?.metric.group_by.includes(key) ? null : prefs.selected.value });
}

function pathOf({ metric, group, left, right }) {
  const query = new URLSearchParams({ from: String(Math.floor(left) - metric.size_ms), to: String(Math.ceil(right)) });
  for (const [key, value] of Object.entries(group)) query.set(`group.${key}`, value);
  return `/metrics/${encodeURIComponent(metric.name)}/history?${query}`;
}

// Narrow makes a chip of what is typed: the groups that are listed are offered, and "key: value" names any other.
function Narrow({ lists }) {
  const [said, setSaid] = useState("");
  const options = lists.flatMap(({ metric, items }) => items.map(({ group }) => ({ key: metric.group_by[0], group, metric })));
  const label = ({ key, group }) => `${keyName(key)}: ${groupName(group, key).name}`;
  const take = (event) => {
    event.preventDefault();
    const field = event.target.elements.narrow;
    const found = match(field.value.trim(), options, lists, label);
    setSaid(found ? "" : "Nothing listed matches. “Country: Japan” names a group exactly.");
    if (!found) return;
    prefs.choose({ group: { ...prefs.chips.value, [found.key]: found.group }, metric: found.metric.name });
    field.value = "";
    field.blur();
  };
  return html`<form class="ask narrow" onSubmit=${take}>
    <input name="narrow" data-filter list="groups-listed" placeholder="Filter" aria-label="Filter by a group" title="Filter (/)" autocomplete="off" spellcheck=${false} />
    <datalist id="groups-listed">${options.map((o) => html`<option key=${label(o)} value=${label(o)} />`)}</datalist>
    ${said && html`<span class="narrow-said" role="status">${said}</span>`}
  </form>`;
}

function match(text, options, lists, label) {
  if (text === "") return null;
  const small = text.toLowerCase();
  const listed = options.find((o) => label(o).toLowerCase() === small) ?? options.find((o) => groupName(o.group, o.key).name.toLowerCase() === small);
  if (listed) return listed;
  const named = lists.find(({ metric }) => small.startsWith(`${keyName(metric.group_by[0]).toLowerCase()}:`));
  if (named) {
    const group = text.slice(text.indexOf(":") + 1).trim();
    return group ? { key: named.metric.group_by[0], group, metric: named.metric } : null;
  }
  return options.find((o) => groupName(o.group, o.key).name.toLowerCase().includes(small)) ?? null;
}
