import { when } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { alerts, now } from "../lib/state.mjs";
import { useState } from "../vendor/hooks.mjs";
import { Evidence } from "./evidence.mjs";

// AlertsCard lists what fires, the worst first, and what ended last. An alert opens in place and shows what it rests on.
export function AlertsCard() {
  const [open, setOpen] = useState(null);
  const known = alerts.value;
  return html`<section class=${known?.shown.length > 3 ? "card alerts many" : "card alerts"} id="alerts" tabindex="-1" aria-labelledby="alerts-title" data-firing=${known?.firing}>
    <header class="card-head">
      <h2 id="alerts-title">Alerts</h2>
      ${known?.firing > 0 && html`<span class="note">${known.firing} firing</span>`}
    </header>
    ${known === null ? null : known.shown.length === 0
      ? html`<p class="empty">No alerts. What would raise one: <a href="#pipeline">the rules in force</a>.</p>`
      : html`<div class="alert-box" tabindex="0" role="group" aria-label="List of alerts"><ul>
          ${known.shown.map((a) => html`<${Item} key=${a.id} alert=${a} open=${open === a.id} toggle=${() => setOpen(open === a.id ? null : a.id)} />`)}
        </ul>${known.more > 0 && html`<p class="note"><a href=${prefs.address("alerts", { state: "firing", cursor: null, id: null })}>${known.more} more are firing</a></p>`}</div>`}
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
    <div id=${id} hidden=${!open}>${open && html`<${Evidence} alert=${alert} /><p class="alert-link"><a href=${prefs.address("alerts", { id: alert.id })}>The whole alert</a></p>`}</div>
  </li>`;
}
