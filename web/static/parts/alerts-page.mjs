import { SEVERITIES, TYPES } from "../lib/alerts.mjs";
import { age, groupName, keyName, when } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { useAnswer } from "../lib/load.mjs";
import * as prefs from "../lib/prefs.mjs";
import { get } from "../lib/rest.mjs";
import { alerts, alertsBeat, now } from "../lib/state.mjs";
import { AlertPage } from "./alert-page.mjs";
import { Segments, Select } from "./controls.mjs";

const PAGE = 50;

export const words = (symbol) => keyName(symbol.toLowerCase());

// AlertsPage is the list of all alerts that are kept, as far as the filters let them through, or one of them.
export function AlertsPage() {
  const choice = prefs.choices.alerts.value;
  return choice.id === null ? html`<${List} choice=${choice} />` : html`<${AlertPage} id=${choice.id} />`;
}

function List({ choice }) {
  const query = new URLSearchParams({ state: choice.state, limit: String(PAGE) });
  if (choice.severity.length > 0) query.set("severity", choice.severity.join(","));
  if (choice.type !== null) query.set("type", choice.type);
  if (choice.cursor !== null) query.set("cursor", choice.cursor);
  const key = query.toString();
  // The log of alerts says when to look again; older pages don't change by what is new.
  const beat = choice.cursor === null ? alertsBeat.value : 0;
  const { answer, current, trouble } = useAnswer(key, () => get(`/alerts?${key}`), { beat, every: 60_000 });
  return html`<main class="page" aria-busy=${!current && !trouble} data-key=${current ? "current" : "awaited"}>
    <h1 class="hidden">Alerts</h1>
    <${Filters} choice=${choice} />
    ${trouble && html`<p class="card trouble" role="alert"><strong>${trouble.status === 0 ? "The server can't be reached" : "The server can't answer that"}</strong><span>${trouble.message}</span></p>`}
    ${answer === null
      ? !trouble && html`<section class="card skeleton list-skeleton" aria-label="The list is being read"><span></span><span></span><span></span></section>`
      : html`<section class=${current ? "card" : "card awaited"} aria-labelledby="list-title">
          <header class="card-head"><h2 id="list-title">${choice.cursor === null ? "The newest first" : "Older ones"}</h2><span class="note">${firing(alerts.value)}</span></header>
          ${answer.alerts.length === 0 ? html`<${None} choice=${choice} />` : html`<ul class="links alert-list">${answer.alerts.map((a) => html`<${Row} key=${a.id} alert=${a} />`)}</ul>`}
          ${(choice.cursor !== null || answer.next) && html`<p class="pager">
            ${choice.cursor !== null && html`<a class="button" href=${prefs.address("alerts", { cursor: null })}>Newest</a>`}
            ${answer.next && html`<a class="button" href=${prefs.address("alerts", { cursor: answer.next })} onClick=${() => scrollTo(0, 0)}>Older</a>`}
          </p>`}
        </section>`}
  </main>`;
}

const firing = (known) => (known === null ? "" : known.firing === 0 ? "none is firing" : `${known.firing} firing in all`);

function Filters({ choice }) {
  const set = (changes) => prefs.choose({ ...changes, cursor: null });
  const toggle = (one) => set({ severity: SEVERITIES.filter((s) => choice.severity.includes(s) !== (s === one)) });
  return html`<div class="filters">
    <${Segments} label="State" value=${choice.state} options=${[["all", "All"], ["firing", "Firing"], ["resolved", "Resolved"]]} choose=${(state) => set({ state })} />
    <div class="segments" role="group" aria-label="Severity">${SEVERITIES.map((s) => html`<button key=${s} class=${`severity ${s.toLowerCase()}`} aria-pressed=${choice.severity.includes(s)} onClick=${() => toggle(s)}><i></i>${words(s)}</button>`)}</div>
    <${Select} label="Type" first value=${choice.type ?? ""} options=${[["", "all"], ...TYPES.map((t) => [t, words(t)])]} choose=${(type) => set({ type: type || null })} />
  </div>`;
}

function None({ choice }) {
  const filtered = choice.state !== "all" || choice.severity.length > 0 || choice.type !== null;
  if (!filtered) return html`<p class="empty">No rule has raised an alert yet. <a href="#pipeline">The rules in force</a></p>`;
  return html`<p class="empty">No alert matches. <button class="button" onClick=${() => prefs.choose({ state: "all", severity: [], type: null, cursor: null })}>All alerts</button></p>`;
}

function Row({ alert: a }) {
  const over = a.state !== "firing";
  const group = Object.entries(a.group).map(([key, value]) => groupName(value, key).name).join(" · ");
  return html`<li class=${`alert ${a.severity.toLowerCase()}${over ? " over" : ""}`} data-alert=${a.id}>
    <a class="alert-face" href=${prefs.address("alerts", { id: a.id })}>
      <span class="alert-title"><span class="hidden">${a.severity.toLowerCase()}: </span>${a.title}</span>
      <span class="alert-time">${when(a.started_at_ms, now.value)}</span>
      <span class="alert-why">${group ? `${group}: ` : ""}${a.description}</span>
      <span class="note alert-state">${over ? `resolved after ${age(a.ended_at_ms - a.started_at_ms)}` : "firing"}</span>
    </a>
  </li>`;
}
