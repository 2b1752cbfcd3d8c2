// What of the metrics in force is shown where. Pure. Names, titles, units and descriptions are the definitions' own.

const tileTypes = [
  "PAGE_VIEWS_PER_SECOND", "ACTIVE_USERS", "BOUNCE_RATE", "AVERAGE_SESSION_DURATION", "CONVERSION_RATE", "REVENUE_PER_USER",
];
const listTypes = ["TOP_PAGES", "GEOGRAPHIC_DISTRIBUTION", "DEVICE_BREAKDOWN"];

export const isMoney = (metric) => metric.unit.startsWith("money");

// arrange sorts metrics into the strip of tiles, the one tile with its aggregates beside the chart, and the lists of
// groups. A metric that is split by several keys, or money that is split by none, has no place on the page.
export function arrange(metrics) {
  const single = metrics.filter((m) => (isMoney(m) ? m.group_by.length === 1 : m.group_by.length === 0));
  const rank = (types) => (m) => (types.includes(m.type) ? types.indexOf(m.type) : types.length);
  const tiles = sorted(single.filter((m) => tileTypes.includes(m.type)), rank(tileTypes));
  const others = single.filter((m) => !tileTypes.includes(m.type));
  const lists = sorted(metrics.filter((m) => m.group_by.length === 1 && !isMoney(m)), rank(listTypes));
  const funnels = single.filter((m) => m.funnel?.length > 1);
  return { tiles: [...tiles, ...others.slice(1)], beside: others[0] ?? null, lists, funnels };
}

function sorted(list, rank) {
  return list.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

// sense says what is good for a metric: that it is "higher", or "lower", or that we can't know ("neutral").
export function sense(metric) {
  if (metric.type === "BOUNCE_RATE" || metric.unit === "ms") return "lower";
  return tileTypes.includes(metric.type) ? "higher" : "neutral";
}

// additive says whether the values of a metric's groups add up to a whole, so that each has a share of it.
export function additive(metric) {
  return !metric.estimate && ["1/s", "views", "sessions", "events"].includes(metric.unit);
}

// pickCurrency chooses the group of money that is shown: the one that was asked for, else the one that is shown already,
// else the one with the most conversions. Amounts of different currencies can't be compared, conversions can.
export function pickCurrency(rows, key, asked, shown) {
  const named = rows.filter((row) => !["(none)", "(other)"].includes(row.group[key]));
  const has = (currency) => currency !== null && rows.some((row) => row.group[key] === currency);
  if (asked) return asked;
  if (shown !== null && (has(shown) || named.length === 0)) return shown;
  const most = named.reduce((best, row) => (best === null || row.count > best.count ? row : best), null);
  return most?.group[key] ?? rows[0]?.group[key] ?? shown;
}

// ranked are the groups of one window with their share, the largest first. What is beyond limit, and what the engine has
// folded into (other), is summed up in rest if the metric adds up.
export function ranked(metric, rows, limit) {
  const key = metric.group_by[0];
  const adds = additive(metric);
  const total = adds ? rows.reduce((sum, row) => sum + (row.value ?? 0), 0) : null;
  const order = rows.toSorted((a, b) => (b.value ?? -1) - (a.value ?? -1) || compare(a.group[key], b.group[key]));
  const own = order.filter((row) => row.group[key] !== "(other)");
  const shown = own.slice(0, limit);
  const left = rows.length - shown.length;
  const restValue = adds && left > 0 ? total - shown.reduce((sum, row) => sum + (row.value ?? 0), 0) : null;
  return {
    items: shown.map((row) => ({ group: row.group[key], value: row.value })),
    rest: left > 0 ? { groups: own.length - shown.length, folded: own.length < rows.length, value: restValue } : null,
    total,
    start: rows[0]?.window_start_ms ?? null,
    end: rows[0]?.window_end_ms ?? null,
  };
}

// steps are the aggregates of a funnel in the order of their size, each as a part of the first and of the one before.
export function steps(metric, row) {
  const values = row ? metric.funnel.map((name) => ({ name, value: row.aggregates[name] ?? null })) : [];
  const order = values.toSorted((a, b) => b.value - a.value || compare(a.name, b.name));
  const part = (value, of) => (value !== null && of > 0 ? value / of : null);
  return order.map((step, i) => ({ ...step, ofFirst: part(step.value, order[0].value), before: i > 1 ? order[i - 1].name : null, ofBefore: i > 1 ? part(step.value, order[i - 1].value) : null }));
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
