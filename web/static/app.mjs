// The dashboard's entry: which page is shown, and the keyboard.
import { PAGES } from "./lib/address.mjs";
import { html } from "./lib/html.mjs";
import * as prefs from "./lib/prefs.mjs";
import * as state from "./lib/state.mjs";
import { AlertsPage } from "./parts/alerts-page.mjs";
import { Bar } from "./parts/bar.mjs";
import { Help } from "./parts/help.mjs";
import { History } from "./parts/history.mjs";
import { Live } from "./parts/live.mjs";
import { Pipeline } from "./parts/pipeline.mjs";
import { Status } from "./parts/status.mjs";
import { useEffect, useRef } from "./vendor/hooks.mjs";
import { render } from "./vendor/preact.mjs";

const pages = { live: Live, history: History, alerts: AlertsPage, pipeline: Pipeline };

function App() {
  const dialog = useRef(null);
  const openHelp = () => dialog.current.open || dialog.current.showModal();
  useEffect(() => {
    const press = (event) => keyPressed(event, openHelp);
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const Page = pages[prefs.page.value];
  return html`<${Bar} openHelp=${openHelp} /><${Page} /><${Status} /><${Help} dialog=${dialog} />`;
}

function keyPressed(event, openHelp) {
  if (event.key === "Escape" && event.target.matches("input")) return event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const number = Number(event.key);
  if (number >= 1 && number <= PAGES.length) return prefs.go(PAGES[number - 1]);
  switch (event.key) {
    case "/":
      event.preventDefault();
      return document.querySelector("[data-filter]")?.focus();
    case "[":
    case "]":
      return document.querySelector(`[data-key="${event.key}"]`)?.click();
    case "t":
      return prefs.switchTheme();
    case "?":
      return openHelp();
    case " ":
      if (event.target.closest("button, a, [tabindex]")) return; // there it has a meaning already
      event.preventDefault();
      prefs.paused.value = !prefs.paused.value;
  }
}

prefs.start();
state.start();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
