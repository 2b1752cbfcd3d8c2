import { PERIODS } from "./address.mjs";
import { isMoney } from "./catalogue.mjs";
import { span } from "./format.mjs";

// What the history page asks for, and the lines it makes of the answer. Pure.

const POINTS = 300; // of a line, where nobody has chosen a step: more is noise
const MOST = 3000; // of a line

const round = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map((s) => s * 1000);

// steps are the lengths of time that a metric can be computed over, so that a range has a few of them and not too many.
export function steps(metric, length) {
  return round.filter((step) => step % metric.pane_ms === 0 && length / step >= 2 && length / step <= MOST);
}

// frame is the range, step and comparison that a choice means now. step is null where each point is one of the metric's own
// windows; unit is the distance of points, and size what a point is computed over.
export function frame(metric, choice, now) {
  const fixed = choice.from !== null;
  const last = fixed && choice.to !== null ? choice.to : now;
  const first = fixed ? choice.from : now - PERIODS.history[choice.period];
  const possible = steps(metric, last - first);
  let step = possible.includes(choice.step) ? choice.step : null;
  if (step === null && (last - first) / metric.slide_ms > 2.5 * POINTS) {
    step = possible.find((s) => s >= metric.size_ms && (last - first) / s <= POINTS) ?? possible.at(-1) ?? null;
  }
  const unit = step ?? metric.slide_ms;
  const from = Math.floor(first / unit) * unit;
  const to = fixed ? Math.ceil(last / unit) * unit : last;
  return { from, to, step, unit, size: step ?? metric.size_ms, shift: Math.ceil((fixed ? to - from : last - first) / unit) * unit, fixed };
}

// query is what /history is asked for, back by a shift.
export function query({ from, to, step }, { shift = 0, group = {}, limit } = {}) {
  const params = new URLSearchParams({ from: String(from - shift), to: String(to - shift) });
  if (step !== null) params.set("step", `${step}ms`);
  for (const [key, value] of Object.entries(group)) params.set(`group.${key}`, value);
  if (limit) params.set("limit", String(limit));
  return params;
}

// groupOf are the keys of a choice that the metric has.
export function groupOf(metric, group) {
  return Object.fromEntries(Object.entries(group).filter(([key]) => metric.group_by.includes(key)));
}

// chart has the lines of one series: closed values at the ends of what they are computed over, those of the period before at
// the same places unless before is undefined, and nothing where nothing is known.
export function chart(metric, asked, { series, before, watermark }) {
  const closed = byStart(series);
  const earlier = byStart(before);
  const times = [];
  const lines = { closed: [], before: [], open: [] };
  for (let t = asked.from; t < asked.to; t += asked.unit) {
    times.push(t + asked.size);
    lines.closed.push(closed.get(t) ?? null);
    lines.before.push(earlier.get(t - asked.shift) ?? null);
    lines.open.push(null);
  }
  const group = series?.group ?? {};
  return {
    metric, group, watermark, times, ...lines, size: asked.size, unit: asked.unit,
    earlier: before === undefined ? null : `${span(asked.shift)} earlier`,
    left: times[0] ?? asked.from, right: Math.max(asked.to, times.at(-1) ?? 0),
    currency: isMoney(metric) ? group[metric.group_by[0]] ?? null : null,
  };
}

const byStart = (series) => new Map(series?.points ?? []);
