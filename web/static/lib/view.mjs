import { arrange, isMoney, pickCurrency, ranked, sense, steps } from "./catalogue.mjs";
import { change, span } from "./format.mjs";
import { chartLines, compareShift, Series } from "./series.mjs";

// LiveData gathers what the live page shows: the series of its tiles, the rows of its lists, and the series of the groups
// that were picked from those. view() is a picture of it that does not change any more. Pure but for what it is fed.
//
// A hole in a series (windows that closed while nobody listened, or while the server was catching up) is reported by
// take(), for whoever owns LiveData to fill from history.
export class LiveData {
  #series = new Map(); // metric -> Series
  #picked = new Map(); // split metric -> the group's value that its series is of
  #earlier = new Map(); // metric -> {series, of, from, to}: a week ago, of the series beside it

  constructor(metrics) {
    this.metrics = metrics;
    this.places = arrange(metrics);
    this.tiles = [...this.places.tiles, ...(this.places.beside ? [this.places.beside] : [])];
    for (const m of this.plain) this.#series.set(m.name, new Series(m.size_ms, m.slide_ms));
    for (const m of this.money) this.#series.set(m.name, new Series(m.size_ms, m.slide_ms));
  }

  // plain are the tiles whose history comes with the subscription; money are those whose history is asked for by group.
  get plain() {
    return this.tiles.filter((m) => !isMoney(m));
  }

  get money() {
    return this.tiles.filter(isMoney);
  }

  get grouped() {
    return [...this.money, ...this.places.lists];
  }

  // split are the metrics of which one group is picked, charted all that have a series.
  get split() {
    return this.grouped.filter((m) => this.#picked.has(m.name));
  }

  get charted() {
    return [...this.tiles, ...this.places.lists.filter((m) => this.#picked.has(m.name))];
  }

  series(name) {
    return this.#series.get(name);
  }

  // takeHistory fills in the backfill of a snapshot.
  takeHistory(history) {
    for (const one of history) this.#series.get(one.metric)?.fill(one.points, one.step_ms);
  }

  // take adds the closed rows of the tiles, and of the groups that are picked: a currency, and what chips name. It returns
  // the holes: [{metric, group, from}], from being the end of the last point before it, or null for a series of which
  // nothing is known yet.
  take(tiles, groups, { currency = null, chips = {} } = {}) {
    const holes = [];
    for (const m of this.plain) this.#add(m, {}, tiles.finals(m.name), holes);
    for (const m of this.money) {
      const chosen = pickCurrency(groups.finals(m.name), m.group_by[0], chips[m.group_by[0]] ?? currency, this.#picked.get(m.name) ?? null);
      if (chosen !== null) this.#addPicked(m, chosen, groups, holes);
    }
    for (const m of this.places.lists) {
      const chosen = chips[m.group_by[0]];
      if (chosen !== undefined) this.#addPicked(m, chosen, groups, holes);
      else if (this.#picked.delete(m.name)) this.#series.delete(m.name);
    }
    return holes;
  }

  #addPicked(metric, chosen, groups, holes) {
    const group = { [metric.group_by[0]]: chosen };
    if (this.#picked.get(metric.name) !== chosen) {
      this.#picked.set(metric.name, chosen);
      this.#series.set(metric.name, new Series(metric.size_ms, metric.slide_ms));
      holes.push({ metric, group, from: null });
    }
    this.#add(metric, group, groups.finals(metric.name).filter(of(group)), holes);
  }

  #add(metric, group, rows, holes) {
    const series = this.#series.get(metric.name);
    for (const row of rows) {
      const from = series.add(row);
      if (from !== null) holes.push({ metric, group, from });
    }
  }

  // weekAgo says what is lacking of the time a week ago: [{metric, group, from, to, series}] in ms, each once.
  weekAgo(watermark, period) {
    const lacking = [];
    for (const m of this.charted) {
      const shift = compareShift("week", period, m.slide_ms);
      const [from, to] = [watermark - shift - period - 2 * m.size_ms, watermark - shift + period * 0.05];
      const own = this.#series.get(m.name);
      const known = this.#earlier.get(m.name);
      if (known?.of === own && known.from <= from && known.to >= to) continue;
      const next = { series: new Series(m.size_ms, m.slide_ms), of: own, from, to: to + AHEAD };
      this.#earlier.set(m.name, next);
      lacking.push({ metric: m, group: this.groupOf(m), from, to: next.to, series: next.series });
    }
    return lacking;
  }

  // forgetWeek has weekAgo ask again for what could not be answered.
  forgetWeek(metric) {
    this.#earlier.delete(metric.name);
  }

  // forget drops what no chart of this period needs any more.
  forget(watermark, period) {
    for (const s of this.#series.values()) s.forget(watermark - 2 * period - s.size - 120_000);
  }

  // groupOf is the group that a metric's series is of; empty for one that is not split.
  groupOf(metric) {
    return metric.group_by.length > 0 ? { [metric.group_by[0]]: this.#picked.get(metric.name) ?? null } : {};
  }

  view(tiles, groups, { period, selected, compare = "previous", chips = {}, now = Infinity }) {
    const watermark = tiles.watermark ?? groups.watermark;
    const scene = { tiles, groups, period, compare, watermark, chips, now };
    const beside = this.places.beside;
    const chosen = this.charted.find((m) => m.name === selected) ?? this.tiles[0] ?? null;
    return {
      seq: tiles.seq,
      groupSeq: groups.seq,
      watermark,
      period,
      tiles: this.places.tiles.map((m) => this.#tile(m, scene)),
      beside: beside && this.#tile(beside, scene),
      lists: this.places.lists.map((m) => this.#list(m, scene)),
      funnels: this.places.funnels.map((m) => this.#funnel(m, scene)),
      chart: chosen && watermark !== null ? this.#chart(chosen, scene) : null,
      currencies: this.money.flatMap((m) => groups.finals(m.name).map((row) => row.group[m.group_by[0]])).sort(),
    };
  }

  #rows(metric, { tiles, groups }) {
    if (metric.group_by.length === 0) return { final: tiles.finals(metric.name)[0] ?? null, open: tiles.open(metric.name) };
    const mine = of(this.groupOf(metric));
    return { final: groups.finals(metric.name).find(mine) ?? null, open: groups.open(metric.name).filter(mine) };
  }

  #comparison(metric, { period, compare }) {
    const shift = compareShift(compare, period, metric.slide_ms);
    return { shift, series: compare === "week" ? this.#earlier.get(metric.name)?.series ?? nothing : this.#series.get(metric.name) };
  }

  #tile(metric, scene) {
    const { final, open } = this.#rows(metric, scene);
    const series = this.#series.get(metric.name);
    const [now, before] = final ? compared(metric, series, final.window_end_ms, this.#comparison(metric, scene)) : [null, null];
    const spark = series.last === null ? [] : sparkline(metric, series);
    return {
      metric, spark, row: final, value: final?.value ?? null,
      currency: isMoney(metric) ? this.#picked.get(metric.name) ?? null : null,
      before, earlier: earlier(scene), change: change(now, before, sense(metric)),
      firstClose: final === null && open.length > 0 ? open[0].window_end_ms : null,
      filter: filterOf(metric, scene.chips),
    };
  }

  // A chip narrows a list to one group, whose share is still that of the whole.
  #list(metric, { groups, chips }) {
    const rows = groups.finals(metric.name);
    const all = ranked(metric, rows, 10);
    const filter = filterOf(metric, chips);
    if (filter !== "filtered") return { metric, filter, ...all };
    const chosen = chips[metric.group_by[0]];
    const row = rows.find(of({ [metric.group_by[0]]: chosen }));
    return { metric, filter, ...all, items: row ? [{ group: chosen, value: row.value }] : [], rest: null };
  }

  #funnel(metric, scene) {
    const { final } = this.#rows(metric, scene);
    return { metric, steps: steps(metric, final), start: final?.window_start_ms ?? null, end: final?.window_end_ms ?? null, filter: filterOf(metric, scene.chips) };
  }

  #chart(metric, scene) {
    const { period, watermark, chips, now } = scene;
    const { open } = this.#rows(metric, scene);
    const { shift, series } = this.#comparison(metric, scene);
    const lines = chartLines(this.#series.get(metric.name), open, { period, watermark, before: series, shift, now });
    const group = this.groupOf(metric);
    return {
      metric, group, currency: isMoney(metric) ? group[metric.group_by[0]] : null, watermark, period,
      earlier: shift === null ? null : earlier(scene), filter: filterOf(metric, chips), ...lines,
    };
  }
}

const AHEAD = 30 * 60_000; // ms of the week before that are read ahead
const nothing = new Series(1, 1);

const of = (group) => (row) => Object.entries(group).every(([key, value]) => row.group[key] === value);

const earlier = ({ compare, period }) => (compare === "week" ? "a week earlier" : `${span(period)} earlier`);

// filterOf says what the chips do to a metric: a chip filters those that have its key, and no others.
function filterOf(metric, chips) {
  const keys = Object.keys(chips);
  if (keys.length === 0) return "none";
  return keys.some((key) => metric.group_by.includes(key)) ? "filtered" : "not filtered";
}

const SPARK = 15 * 60_000;
const MINUTE = 60_000;

// isRate: the windows follow each other without overlap, so that the mean of some is the exact rate over all of them.
const isRate = (metric) => metric.kind === "tumbling" && metric.unit === "1/s";

// sparkline is a quarter of an hour in at most 90 points: rates over several windows, of other metrics every so many-th.
function sparkline(metric, series) {
  const every = Math.ceil(SPARK / metric.slide_ms / 90);
  const step = every * metric.slide_ms;
  // Aligned, so that points stay what they are while time passes.
  const last = Math.floor(series.last / step) * step + (every > 1 ? 0 : series.last % step);
  const values = [];
  for (let end = last - SPARK + step; end <= last; end += step) {
    values.push(every > 1 && isRate(metric) ? series.mean(end - step, end) : series.at(end));
  }
  return values;
}

// compared is what a tile's change compares: its value with the one by the shift earlier. Rates of a few seconds are compared
// by the minute, of which they are exact parts: a single one is mostly noise.
function compared(metric, series, end, { series: before, shift }) {
  if (shift === null) return [series.at(end), null];
  if (isRate(metric) && metric.size_ms < MINUTE && MINUTE % metric.size_ms === 0) {
    return [series.mean(end - MINUTE, end), before.mean(end - MINUTE - shift, end - shift)];
  }
  return [series.at(end), before.at(end - shift)];
}
