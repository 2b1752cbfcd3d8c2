import { arrange, isMoney, pickCurrency, ranked, sense } from "./catalogue.mjs";
import { change, span } from "./format.mjs";
import { chartLines, compareShift, Series } from "./series.mjs";

// LiveData gathers what the live page shows: the series of its tiles and the rows of its lists. view() is a picture of it
// that does not change any more. Pure but for what it is fed.
//
// A hole in a series (windows that closed while nobody listened, or while the server was catching up) is reported by
// take(), for whoever owns LiveData to fill from history.
export class LiveData {
  #series = new Map(); // metric -> Series
  #currency = null; // whose money the series holds

  constructor(metrics) {
    this.metrics = metrics;
    this.places = arrange(metrics);
    this.tiles = [...this.places.tiles, ...(this.places.beside ? [this.places.beside] : [])];
    for (const m of this.tiles) this.#series.set(m.name, new Series(m.size_ms, m.slide_ms));
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

  series(name) {
    return this.#series.get(name);
  }

  // takeHistory fills in the backfill of a snapshot.
  takeHistory(history) {
    for (const one of history) this.#series.get(one.metric)?.fill(one.points, one.step_ms);
  }

  // take adds the closed rows of the tiles. It returns the holes: [{metric, group, from}], from being the end of the last
  // point before it, or null for a series of which nothing is known yet.
  take(tiles, groups, askedCurrency) {
    const holes = [];
    for (const m of this.plain) this.#add(m, {}, tiles.finals(m.name), holes);
    for (const m of this.money) {
      const key = m.group_by[0];
      const rows = groups.finals(m.name);
      const chosen = pickCurrency(rows, key, askedCurrency, this.#currency);
      if (chosen === null) continue;
      if (chosen !== this.#currency) {
        this.#currency = chosen;
        this.#series.set(m.name, new Series(m.size_ms, m.slide_ms));
        holes.push({ metric: m, group: { [key]: chosen }, from: null });
      }
      this.#add(m, { [key]: chosen }, rows.filter((row) => row.group[key] === chosen), holes);
    }
    return holes;
  }

  #add(metric, group, rows, holes) {
    const series = this.#series.get(metric.name);
    for (const row of rows) {
      const from = series.add(row);
      if (from !== null) holes.push({ metric, group, from });
    }
  }

  // forget drops what no chart of this period needs any more.
  forget(watermark, period) {
    for (const s of this.#series.values()) s.forget(watermark - 2 * period - s.size - 120_000);
  }

  // groupOf is the group of a tile: that of its currency, or none.
  groupOf(metric) {
    return isMoney(metric) ? { [metric.group_by[0]]: this.#currency } : {};
  }

  view(tiles, groups, { period, selected }) {
    const watermark = tiles.watermark ?? groups.watermark;
    const beside = this.places.beside;
    const strip = this.places.tiles.map((m) => this.#tile(m, tiles, groups, period));
    const chosen = this.tiles.find((m) => m.name === selected) ?? this.tiles[0] ?? null;
    return {
      seq: tiles.seq,
      groupSeq: groups.seq,
      watermark,
      period,
      tiles: strip,
      beside: beside && this.#tile(beside, tiles, groups, period),
      lists: this.places.lists.map((m) => ({ metric: m, ...ranked(m, groups.finals(m.name), 10) })),
      chart: chosen && watermark !== null ? this.#chart(chosen, tiles, groups, period, watermark) : null,
      currencies: this.money.flatMap((m) => groups.finals(m.name).map((row) => row.group[m.group_by[0]])).sort(),
    };
  }

  #rows(metric, tiles, groups) {
    if (!isMoney(metric)) return { final: tiles.finals(metric.name)[0] ?? null, open: tiles.open(metric.name) };
    const mine = (row) => row.group[metric.group_by[0]] === this.#currency;
    return { final: groups.finals(metric.name).find(mine) ?? null, open: groups.open(metric.name).filter(mine) };
  }

  #tile(metric, tiles, groups, period) {
    const { final, open } = this.#rows(metric, tiles, groups);
    const series = this.#series.get(metric.name);
    const [now, before] = final ? compared(metric, series, final.window_end_ms, period) : [null, null];
    const spark = series.last === null ? [] : sparkline(metric, series);
    return {
      metric, spark, row: final, value: final?.value ?? null,
      currency: isMoney(metric) ? this.#currency : null,
      before, change: change(now, before, sense(metric)),
      firstClose: final === null && open.length > 0 ? open[0].window_end_ms : null,
    };
  }

  #chart(metric, tiles, groups, period, watermark) {
    const { open } = this.#rows(metric, tiles, groups);
    const lines = chartLines(this.#series.get(metric.name), open, { period, watermark });
    return { metric, group: this.groupOf(metric), currency: isMoney(metric) ? this.#currency : null, watermark, period, earlier: `${span(period)} earlier`, ...lines };
  }
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

// compared is what a tile's change compares: its value with the one a period earlier. Rates of a few seconds are compared
// by the minute, of which they are exact parts: a single one is mostly noise.
function compared(metric, series, end, period) {
  const shift = compareShift(period, metric.slide_ms);
  if (isRate(metric) && metric.size_ms < MINUTE && MINUTE % metric.size_ms === 0) {
    return [series.mean(end - MINUTE, end), series.mean(end - MINUTE - shift, end - shift)];
  }
  return [series.at(end), series.at(end - shift)];
}
