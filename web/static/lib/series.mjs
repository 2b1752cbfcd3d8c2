// The points of one metric and group over time. Pure.
//
// A point stands at the end of its window: that is when its value was complete, and the watermark compares with ends. So a
// point at or left of the watermark is closed, and one right of it is open.

export class Series {
  points = new Map(); // end of the window, ms -> value or null
  first = null;
  last = null;

  constructor(size, slide) {
    this.size = size;
    this.slide = slide;
  }

  // fill takes points as REST history and backfill have them, [start, value], over max(size, step).
  fill(points, step) {
    const length = Math.max(this.size, step ?? this.slide);
    for (const [start, value] of points) this.#set(start + length, value);
  }

  // add takes a closed row. It returns the end of the last point before a hole, or null when there is none.
  add(row) {
    const end = row.window_end_ms;
    const hole = this.last !== null && end > this.last + this.slide ? this.last : null;
    this.#set(end, row.value);
    return hole;
  }

  at(end) {
    return this.points.get(end) ?? null;
  }

  // forget drops what ended before a time.
  forget(before) {
    if (this.first === null || this.first >= before) return;
    for (const end of this.points.keys()) if (end < before) this.points.delete(end);
    this.first = this.points.size ? Math.min(...this.points.keys()) : null;
    if (this.first === null) this.last = null;
  }

  // mean is that of the points in (from, to], null unless all of them are there: fit for values over windows that do not
  // overlap, of which it is exact.
  mean(from, to) {
    let sum = 0;
    let n = 0;
    for (let end = to; end > from; end -= this.slide) {
      const value = this.at(end);
      if (value === null) return null;
      sum += value;
      n++;
    }
    return n ? sum / n : null;
  }

  // line is the values at each slide in [from, to]: null where there is no data.
  line(from, to) {
    const times = [];
    const values = [];
    if (this.last === null) return { times, values };
    const shift = (((from - this.last) % this.slide) + this.slide) % this.slide;
    for (let end = from + (shift ? this.slide - shift : 0); end <= to; end += this.slide) {
      times.push(end);
      values.push(this.at(end));
    }
    return { times, values };
  }

  #set(end, value) {
    this.points.set(end, value);
    if (this.first === null || end < this.first) this.first = end;
    if (this.last === null || end > this.last) this.last = end;
  }
}

const WEEK = 7 * 86_400_000;

// compareShift is how far back the comparison lies, made up to whole slides so that points meet points; null without one.
export function compareShift(compare, period, slide) {
  if (compare === "none") return null;
  return Math.ceil((compare === "week" ? WEEK : period) / slide) * slide;
}

// chartLines are the lines of the main chart on one time axis: closed values, open values (which begin at the last closed
// one, so that the lines meet), and those of the series before, by the shift earlier. The window that it is now in has hardly
// begun: what little is in it would end every line with a fall.
export function chartLines(series, rows, { period, watermark, before, shift, now }) {
  const open = rows.filter((row) => row.window_end_ms <= now);
  const newest = Math.max(watermark + 1, series.last ?? 0, ...open.map((row) => row.window_end_ms));
  const right = Math.max(newest, watermark + 1 + period * 0.04);
  const left = newest - period;
  const axis = series.line(left, right);
  const waiting = new Map(open.map((row) => [row.window_end_ms, row.value]));
  const closed = axis.times.map((t) => (waiting.has(t) ? null : series.at(t)));
  const opened = axis.times.map((t) => (waiting.has(t) ? waiting.get(t) : t === series.last ? series.at(t) : null));
  const earlier = axis.times.map((t) => (shift === null ? null : before.at(t - shift)));
  return { left, right, times: axis.times, closed, open: opened, before: earlier };
}
