import { clock, fixed, groupName, keyName, text, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import { get } from "../lib/rest.mjs";
import { metrics } from "../lib/state.mjs";

// Evidence is what an alert rests on. What late events have made of its value is asked for when somebody looks.
export function Evidence({ alert }) {
  const { answer, trouble } = useAnswer(`${alert.id} ${alert.seq}`, () => get(`/alerts/${encodeURIComponent(alert.id)}`));
  return html`<${Facts} rows=${evidence(alert, answer?.corrected)} />${trouble && html`<${Facts} rows=${[["Corrected", `not known: ${trouble.message}`]]} />`}`;
}

export const Facts = ({ rows }) => html`<dl class="evidence">${rows.map(([name, said]) => html`<div key=${name}><dt>${name}</dt><dd>${said}</dd></div>`)}</dl>`;

const LISTED = 10; // users and records

// evidence is a list of names and what there is to say. corrected is undefined while it is not known.
export function evidence(alert, corrected) {
  const { window, records } = alert.evidence;
  const metric = metrics.value?.find((m) => m.name === window?.metric);
  const show = (v) => text(v, metric?.unit ?? "", { currency: alert.group.currency });
  const rows = alert.description ? [["Why", alert.description]] : [];
  const add = (name, said) => said && rows.push([name, said]);
  if (window) {
    add("Fired on", `${metric?.title ?? window.metric} ${show(alert.value)}, ${clock(window.window_start_ms)} to ${clock(window.window_end_ms)}`);
  }
  if (corrected === null && window) add("Corrected", "no late event has changed it");
  if (corrected) {
    add("Corrected", corrected.kind === "retract" ? "late events took the group from the list" : `${show(corrected.value)} with late events, revision ${corrected.revision}`);
  }
  for (const [key, value] of Object.entries(alert.group)) add(keyName(key), groupName(value, key).name);
  add("Condition", alert.pattern_matched && html`<code>${alert.pattern_matched}</code>`);
  const numbers = Object.entries(alert.metrics).filter(([name]) => name !== "value");
  add("Numbers", numbers.map(([name, v]) => `${name} ${Number.isInteger(v) ? whole(v) : fixed(v)}`).join(", "));
  for (const [name, said] of Object.entries(alert.context)) add(...contextRow(name, said));
  add("What to do", alert.recommended_action);
  add("Visitors", listed(alert.affected_users));
  add("Records", listed(records.map((r) => `${r.topic}/${r.partition}/${r.offset}`)));
  add("Rule", html`<code>${alert.definition}</code> <code class="note" title=${alert.hash}>${alert.hash.slice(0, 8)}</code>`);
  if (window) add("Metric", html`<code>${window.metric}</code> <code class="note" title=${alert.evidence.definition_hash}>${alert.evidence.definition_hash.slice(0, 8)}</code>${metric && metric.hash !== alert.evidence.definition_hash ? ", its definition has changed since" : ""}`);
  return rows;
}

// contextRow reads a name and its text for people: held_since_ms is a time.
function contextRow(name, said) {
  const isTime = name.endsWith("_ms") && Number.isFinite(Number(said));
  const words = (isTime ? name.slice(0, -3) : name).replaceAll("_", " ");
  return [words.charAt(0).toUpperCase() + words.slice(1), isTime ? clock(Number(said)) : said];
}

function listed(words) {
  const more = words.length - LISTED;
  return words.slice(0, LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
