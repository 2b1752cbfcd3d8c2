import { freshness } from "../lib/freshness.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { clockAhead } from "../lib/rest.mjs";
import { alerts, catchUp, connection, now, pausedAt, pipeline, view } from "../lib/state.mjs";
import { Bars, Half, Mark, Play } from "./icons.mjs";

const names = { live: "Live", pipeline: "Pipeline" };

export function Bar({ openHelp }) {
  const tab = (name) => html`<a href=${"#" + name} class="tab" aria-current=${prefs.page.value === name ? "page" : null}
    onClick=${(event) => {
      event.preventDefault();
      prefs.go(name);
    }}>${names[name]}</a>`;
  const paused = prefs.paused.value;
  return html`<header class="bar">
    <div class="bar-in">
      <div class="brand"><${Mark} /><span class="brand-name">Tidemark</span></div>
      <nav aria-label="Pages">${tab("live")}<${AlertsTab} />${tab("pipeline")}</nav>
      <${Freshness} />
      <div class="actions">
        <button class="button" aria-pressed=${paused} title="Pause or go on (space)" onClick=${() => (prefs.paused.value = !paused)}>
          ${paused ? html`<${Play} />` : html`<${Bars} />`}<span class="wide">${paused ? "Go on" : "Pause"}</span>
        </button>
        <button class="button square" aria-label=${prefs.dark.value ? "Light theme" : "Dark theme"} title="Light or dark (t)" onClick=${prefs.switchTheme}><${Half} /></button>
        <button class="button square wide" aria-label="Keyboard" title="Keyboard (?)" onClick=${openHelp}>?</button>
      </div>
    </div>
  </header>`;
}

// AlertsTab leads to the list beside the main chart.
function AlertsTab() {
  const { firing, worst } = alerts.value ?? { firing: 0 };
  const show = (event) => {
    event.preventDefault();
    prefs.go("live");
    requestAnimationFrame(() => document.getElementById("alerts")?.focus());
  };
  return html`<a href="#live" class="tab" onClick=${show}>Alerts${firing > 0 && html`<span class=${`count ${worst.toLowerCase()}`}>${firing > 999 ? "999+" : firing}<span class="hidden"> firing</span></span>`}</a>`;
}

function Freshness() {
  const { tone, title, detail } = freshness({
    connection: connection.value,
    pipeline: pipeline.value?.body ?? null,
    left: catchUp.value,
    watermark: view.value?.watermark ?? null,
    now: now.value,
    ahead: clockAhead,
    pausedAt: pausedAt.value,
  });
  // Only the word is announced: the seconds beside it change all the time.
  return html`<div class=${"freshness " + tone}>
    <span class="dot" aria-hidden="true"></span>
    <strong role="status">${title}</strong>
    <span class="detail">${title === "The session has ended" ? html`<a href="/login">${detail}</a>` : detail}</span>
  </div>`;
}
