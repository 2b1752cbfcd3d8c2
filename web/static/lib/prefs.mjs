import { effect, signal } from "../vendor/signals.mjs";

// What a person has chosen. The address holds what is looked at, so that it can be shared; the browser remembers the rest.

export const PERIODS = { "15m": 15 * 60_000, "1h": 60 * 60_000 };
export const PAGES = ["live", "pipeline"];

export const page = signal("live");
export const period = signal("15m");
export const selected = signal(null); // name of the metric in the main chart; null: the first
export const currency = signal(null); // null: not chosen
export const paused = signal(false);

// theme is "light", "dark", or null: as the system has it.
export const theme = signal(remembered("tidemark-theme", ["light", "dark"]));

const systemDark = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(isDark());

// switchTheme shows the other one. Coming back to what the system has is no choice any more.
export function switchTheme() {
  const next = isDark() ? "light" : "dark";
  theme.value = next === (systemDark.matches ? "dark" : "light") ? null : next;
}

function isDark() {
  return theme.peek() ? theme.peek() === "dark" : systemDark.matches;
}

export function go(to) {
  page.value = to;
  scrollTo(0, 0);
}

// start reads the address and keeps it and the document up to date.
export function start() {
  readAddress();
  addEventListener("hashchange", readAddress);
  systemDark.addEventListener("change", () => (dark.value = isDark()));
  effect(() => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
    remember("tidemark-theme", theme.value);
    dark.value = isDark();
  });
  effect(() => {
    const query = new URLSearchParams();
    if (selected.value) query.set("metric", selected.value);
    if (period.value !== "15m") query.set("period", period.value);
    if (currency.value) query.set("currency", currency.value);
    const hash = `#${page.value}${query.size ? "?" + query : ""}`;
    if (hash !== location.hash && (hash !== "#live" || location.hash)) history.replaceState(null, "", hash);
  });
}

function readAddress() {
  const [name, query] = location.hash.slice(1).split("?");
  const params = new URLSearchParams(query);
  page.value = PAGES.includes(name) ? name : "live";
  period.value = params.get("period") in PERIODS ? params.get("period") : "15m";
  selected.value = params.get("metric");
  currency.value = params.get("currency");
}

// A browser can be told not to remember; then it doesn't.
function remembered(key, allowed) {
  try {
    const value = localStorage.getItem(key);
    return allowed.includes(value) ? value : null;
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
