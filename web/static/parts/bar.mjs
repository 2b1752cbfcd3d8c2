import { PAGES } from "../lib/address.mjs";
import { freshness } from "../lib/freshness.mjs";
import { html } from "../lib/html.mjs";
import * as prefs from "../lib/prefs.mjs";
import { clockAhead } from "../lib/rest.mjs";
import { alerts, announced, catchUp, connection, now, pausedAt, pipeline, view } from "../lib/state.mjs";
import { useEffect } from "../vendor/hooks.mjs";
import { Bars, Half, Mark, Play } from "./icons.mjs";

const names = { live: "Live", history: "History", alerts: "Alerts", pipeline: "Pipeline" };

export function Bar({ openHelp }) {
  const paused = prefs.paused.value;
  const firing = alerts.value?.firing ?? 0;
  useEffect(() => {
    document.title = `${firing > 0 ? `(${firing}) ` : ""}${names[prefs.page.value]} · Tidemark`;
  }, [firing, prefs.page.value]);
  return html`<header class="bar">
    <div class="bar-in">
      <div class="brand"><${Mark} /><span class="brand-name">Tidemark</span></div>
      <nav aria-label="Pages">${PAGES.map((name) => html`<${Tab} key=${name} name=${name} />`)}</nav>
      <${Freshness} />
      <span class="hidden" role="status">${announced.value}</span>
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

function Tab({ name }) {
  const show = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab of its own
    event.preventDefault();
    prefs.go(name, name === "alerts" ? { id: null, cursor: null } : {});
  };
  return html`<a href=${prefs.address(name)} class="tab" data-page=${name} aria-current=${prefs.page.value === name ? "page" : null} onClick=${show}>${names[name]}${name === "alerts" && html`<${Firing} />`}</a>`;
}

function Firing() {
  const { firing, worst } = alerts.value ?? { firing: 0 };
  if (firing === 0) return null;
  return html`<span class=${`count ${worst.toLowerCase()}`}>${firing > 999 ? "999+" : firing}<span class="hidden"> firing</span></span>`;
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
