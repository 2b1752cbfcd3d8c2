import { batch, computed, effect, signal } from "../vendor/signals.mjs";
import { DEFAULTS, read, write } from "./address.mjs";

// What a person has chosen. The address holds what is looked at; the browser remembers the rest.

export const page = signal("live");
export const choices = Object.fromEntries(Object.entries(DEFAULTS).map(([name, byDefault]) => [name, signal(byDefault)]));

const ofLive = (key) => computed(() => choices.live.value[key]);
export const selected = ofLive("metric"); // name of the metric in the main chart; null: the first
export const period = ofLive("period");
export const compare = ofLive("compare");
export const currency = ofLive("currency"); // null: not chosen
export const chips = ofLive("group");

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

let step = false; // the next address is a place of its own, to which one can go back

// go shows another page, with changes to what was chosen there.
export function go(to, changes = {}) {
  step = true;
  batch(() => {
    page.value = to;
    choices[to].value = { ...choices[to].peek(), ...changes };
  });
  step = false;
  scrollTo(0, 0);
}

// closer shows a part of a chart on the page of history. Points stand at their ends, and are asked for by their starts.
export function closer({ metric, group, size = metric.size_ms, unit = metric.slide_ms }, left, right) {
  const from = Math.round(left - size);
  go("history", { metric: metric.name, group, from, to: Math.max(Math.round(right), from + 2 * unit), step: null, view: "chart" });
}

// choose changes what was chosen on the page that is shown.
export function choose(changes) {
  const choice = choices[page.peek()];
  choice.value = { ...choice.peek(), ...changes };
}

// address is what leads to a page with changes to what was chosen there.
export const address = (to, changes = {}) => write(to, { ...choices[to].value, ...changes });

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
    const hash = write(page.value, choices[page.value].value);
    if (hash === location.hash || (hash === "#live" && !location.hash)) return;
    history[step ? "pushState" : "replaceState"](null, "", hash);
  });
}

function readAddress() {
  const { page: name, choice } = read(location.hash);
  batch(() => {
    page.value = name;
    choices[name].value = choice;
  });
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
