// The address holds what is looked at, so that it can be shared and gone back to: the page, and what was chosen on it. What
// an address says that is not allowed is as if it did not say it. Pure.

export const PAGES = ["live", "history", "alerts", "pipeline"];

// What each page starts with. Only what differs from it stands in the address.
export const DEFAULTS = {
  live: { metric: null, period: "15m", compare: "previous", currency: null, group: {} },
  history: { metric: null, period: "24h", from: null, to: null, step: null, compare: "previous", view: "chart", group: {} },
  alerts: { state: "all", severity: [], type: null, cursor: null, id: null },
  pipeline: {},
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// The periods of each page, in ms.
export const PERIODS = {
  live: { "15m": 15 * MINUTE, "1h": HOUR, "6h": 6 * HOUR },
  history: { "1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY },
};

const allowed = {
  "live.period": Object.keys(PERIODS.live),
  "live.compare": ["previous", "week", "none"],
  "history.period": Object.keys(PERIODS.history),
  "history.compare": ["previous", "none"],
  "history.view": ["chart", "table"],
  "alerts.state": ["all", "firing", "resolved"],
  "alerts.severity": ["CRITICAL", "HIGH", "MEDIUM", "LOW"],
};
const times = { from: true, to: true, step: true }; // ms

export function read(hash) {
  const [name, query = ""] = hash.replace(/^#/, "").split("?");
  const page = PAGES.includes(name) ? name : "live";
  const params = new URLSearchParams(query);
  const choice = { ...DEFAULTS[page] };
  for (const key of Object.keys(choice)) {
    const value = key === "group" ? groups(params) : one(`${page}.${key}`, key, params.get(key));
    if (value !== null) choice[key] = value;
  }
  if (choice.from >= (choice.to ?? Infinity)) choice.from = choice.to = null;
  return { page, choice };
}

export function write(page, choice) {
  const params = new URLSearchParams();
  for (const [key, byDefault] of Object.entries(DEFAULTS[page])) {
    const value = choice[key];
    if (key === "group") for (const [name, one] of Object.entries(value)) params.set(`group.${name}`, one);
    else if (String(value) !== String(byDefault)) params.set(key, String(value));
  }
  return `#${page}${params.size ? `?${params}` : ""}`;
}

function one(place, key, text) {
  if (text === null || text === "") return null;
  if (times[key]) return /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : null;
  if (Array.isArray(DEFAULTS[place.split(".")[0]][key])) return text.split(",").filter((word) => allowed[place].includes(word));
  return !allowed[place] || allowed[place].includes(text) ? text : null;
}

function groups(params) {
  const group = {};
  for (const [name, value] of params) if (name.startsWith("group.") && name.length > 6) group[name.slice(6)] = value;
  return group;
}
