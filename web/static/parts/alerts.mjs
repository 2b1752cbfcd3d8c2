import { clock, fixed, groupName, text, when } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { get } from "../lib/rest.mjs";
import { alerts, announced, metrics, now } from "../lib/state.mjs";
import { useEffect, useState } from "../vendor/hooks.mjs";

// AlertsCard lists what fires, the worst first, and what ended last. An alert opens in place and shows what it rests on.
export function AlertsCard() {
  const [open, setOpen] = useState(null);
  const known = alerts.value;
  return html`<section class="card alerts" id="alerts" tabindex="-1" aria-labelledby="alerts-title" data-firing=${known?.firing}>
    <header class="card-head">
      <h2 id="alerts-title">Alerts</h2>
      ${known?.firing > 0 && html`<span class="note">${known.firing} firing</span>`}
    </header>
    <span class="hidden" role="status">${announced.value}</span>
    ${known === null ? null : known.shown.length === 0
      ? html`<p class="empty">No alerts</p>`
      : html`<div class="alert-box" tabindex="0" role="group" aria-label="List of alerts"><ul>
          ${known.shown.map((a) => html`<${Item} key=${a.id} alert=${a} open=${open === a.id} toggle=${() => setOpen(open === a.id ? null : a.id)} />`)}
        </ul>${known.more > 0 && html`<p class="note">${known.more} more are firing.</p>`}</div>`}
  </section>`;
}

function Item({ alert, open, toggle }) {
  const firing = alert.state === "firing";
  const id = `alert-${alert.id}`;
  return html`<li class=${`alert ${alert.severity.toLowerCase()}${firing ? "" : " over"}`} data-alert=${alert.id}>
    <button class="alert-face" aria-expanded=${open} aria-controls=${id} onClick=${toggle}>
      <span class="alert-title"><span class="hidden">${alert.severity.toLowerCase()}: </span>${alert.title}</span>
      <span class="alert-why">${alert.description}</span>
      <span class="note">${when(alert.started_at_ms, now.value)} · ${firing ? "firing" : `resolved ${when(alert.ended_at_ms, now.value)}`}</span>
    </button>
    <div id=${id} hidden=${!open}>${open && html`<${Evidence} alert=${alert} />`}</div>
  </li>`;
}

// Evidence is what an alert rests on. What late events have made of its value is asked for when somebody looks.
function Evidence({ alert }) {
  const [corrected, setCorrected] = useState(null);
  const [trouble, setTrouble] = useState(null);
  useEffect(() => {
    let wanted = true;
    get(`/alerts/${encodeURIComponent(alert.id)}`).then(
      (body) => wanted && (setCorrected(body.corrected), setTrouble(null)),
      (error) => wanted && setTrouble(error.message),
    );
    return () => (wanted = false);
  }, [alert.id, alert.seq]);
  const rows = evidence(alert, corrected);
  return html`<dl class="evidence">
    ${rows.map(([name, said]) => html`<div><dt>${name}</dt><dd>${said}</dd></div>`)}
    ${trouble && html`<div><dt>Corrected</dt><dd>not known: ${trouble}</dd></div>`}
  </dl>`;
}

const LISTED = 10; // users and records

function evidence(alert, corrected) {
  const { window, records } = alert.evidence;
  const metric = metrics.value?.find((m) => m.name === window?.metric);
  const show = (v) => text(v, metric?.unit ?? "", { currency: alert.group.currency });
  const rows = [["Why", alert.description]];
  const add = (name, said) => said && rows.push([name, said]);
  if (window) {
    add(metric?.title ?? window.metric, `${show(alert.value)}, ${clock(window.window_start_ms)} to ${clock(window.window_end_ms)}`);
  }
  if (corrected) {
    add("Corrected", corrected.kind === "retract" ? "late events took the group from the list" : `${show(corrected.value)} with late events`);
  }
  for (const [key, value] of Object.entries(alert.group)) add(key, groupName(value, key).name);
  add("Condition", alert.pattern_matched && html`<code>${alert.pattern_matched}</code>`);
  const numbers = Object.entries(alert.metrics).filter(([name]) => name !== "value");
  add("Numbers", numbers.map(([name, v]) => `${name} ${fixed(v)}`).join(", "));
  for (const [name, said] of Object.entries(alert.context)) add(...contextRow(name, said));
  add("What to do", alert.recommended_action);
  add("Visitors", listed(alert.affected_users));
  add("Records", listed(records.map((r) => `${r.topic}/${r.partition}/${r.offset}`)));
  add("Rule", html`<code>${alert.definition}</code>`);
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
