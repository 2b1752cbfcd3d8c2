// Numbers, times and names as people read them. Pure: no clock, no document.
//
// null is "no data" and becomes "–"; 0 stays 0. A value comes as {sign, number, unit}: the sign is "≈" where the value is
// an estimate, and number and unit are apart because they are set in different sizes.

export const NONE = "–";

const locale = "en";
const cache = new Map();

function decimals(digits) {
  if (!cache.has(digits)) {
    cache.set(digits, new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return cache.get(digits);
}

const isNumber = (v) => typeof v === "number" && Number.isFinite(v);

// fixed writes a number with as many decimals as its size calls for, and large ones in millions and up.
export function fixed(v, smallest = 2) {
  if (!isNumber(v)) return NONE;
  const size = Math.abs(v);
  if (size >= 1e15) return v.toExponential(2).replace("e+", "e");
  if (size >= 999.995e9) return decimals(2).format(v / 1e12) + " T"; // what would be rounded to 1,000.00 G
  if (size >= 999.995e6) return decimals(2).format(v / 1e9) + " G";
  if (size >= 1e7) return decimals(2).format(v / 1e6) + " M";
  if (size >= 1000) return decimals(0).format(v);
  if (size >= 100) return decimals(Math.min(1, smallest)).format(v);
  if (size >= 10) return decimals(Math.min(1, smallest)).format(v);
  if (size !== 0 && size < 0.005) return v.toPrecision(2).replace(/e([+-])0?/, "e$1");
  return decimals(smallest).format(v);
}

// whole writes a count.
export function whole(v) {
  if (!isNumber(v)) return NONE;
  return Math.abs(v) >= 1e7 ? fixed(v) : decimals(0).format(v);
}

// many writes a count in few characters: "2.1 M".
export const many = (v) => (isNumber(v) && v >= 1e9 ? fixed(v) : isNumber(v) && v >= 1e6 ? `${decimals(1).format(v / 1e6)} M` : whole(v));

// share writes a part of a whole in per cent.
export function share(part, total) {
  if (!isNumber(part) || !isNumber(total) || total <= 0) return NONE;
  return percent(part / total);
}

export function percent(ratio) {
  if (!isNumber(ratio)) return NONE;
  const p = ratio * 100;
  const size = Math.abs(p);
  if (size === 0) return "0 %";
  if (size < 0.01) return (p < 0 ? "> −" : "< ") + "0.01 %";
  return `${decimals(size < 1 ? 2 : size < 10 ? 1 : 0).format(p)} %`;
}

// value writes a value in the unit that its definition names. currency is the currency of a group of money, if any.
export function value(v, unit, { currency = null, estimate = false } = {}) {
  if (!isNumber(v)) return { sign: "", number: NONE, unit: "" };
  const said = inUnit(v, unit, currency);
  return { sign: estimate ? "≈" : "", number: said.number.replace(/^-/, "−"), unit: said.unit };
}

function inUnit(v, unit, currency) {
  if (unit.startsWith("money")) return money(v, currency);
  switch (unit) {
    case "1/s":
      return { number: fixed(v, v !== 0 && Math.abs(v) < 0.1 ? 2 : 1), unit: "/s" };
    case "ratio":
      return { number: decimals(Math.abs(v) < 0.0995 ? 2 : 1).format(v * 100), unit: "%" };
    case "s":
      return duration(v);
    case "ms":
      return v >= 1000 ? { number: decimals(2).format(v / 1000), unit: "s" } : { number: fixed(v, v < 10 ? 1 : 0), unit: "ms" };
    default:
      return { number: Number.isInteger(v) ? whole(v) : fixed(v), unit };
  }
}

// text is a value in one string, for tables and screen readers.
export function text(v, unit, options) {
  const { sign, number, unit: suffix } = value(v, unit, options);
  if (!suffix) return sign + number;
  return suffix.startsWith("/") ? sign + number + suffix : `${sign}${number} ${suffix}`;
}

// axis writes a value at a grid line: as short as it can be.
export function axis(v, unit, { currency = null } = {}) {
  if (!isNumber(v)) return "";
  if (unit === "ratio") return `${short.format(v * 100)} %`;
  if (!["s", "ms"].includes(unit) && !unit.startsWith("money")) return compact.format(v);
  if (Math.abs(v) >= 1e5 && unit !== "s") return compact.format(v);
  if (unit === "ms" && v >= 1000) return `${short.format(v / 1000)} s`;
  return text(v, unit, { currency }).replace(/([.]0+)(?=\D|$)/, "");
}

const short = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 2 });

function money(v, currency) {
  if (!currency || !/^[A-Z]{3}$/.test(currency)) return { number: decimals(2).format(v), unit: "" };
  const key = "money " + currency;
  if (!cache.has(key)) {
    cache.set(key, new Intl.NumberFormat(locale, {
      style: "currency", currency, minimumFractionDigits: 2, maximumFractionDigits: 2,
    }));
  }
  return { number: cache.get(key).format(v), unit: "" };
}

function duration(seconds) {
  if (seconds < 60) return { number: fixed(seconds, 1), unit: "s" };
  const rounded = Math.round(seconds);
  const pad = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return { number: `${minutes}:${pad(rounded % 60)}`, unit: "min" };
  return { number: `${whole(Math.floor(minutes / 60))}:${pad(minutes % 60)}`, unit: "h" };
}

// span writes a length of time in milliseconds, exactly where it is whole seconds: "5 s", "90 min", "5 h 38 min".
export function span(ms) {
  if (!isNumber(ms)) return NONE;
  const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];
  for (const [i, [size, name]] of units.entries()) {
    if (ms < size || ms % size !== 0) continue;
    const [larger, word] = units[i - 1] ?? [Infinity];
    return ms < 2 * larger ? `${ms / size} ${name}` : `${Math.floor(ms / larger)} ${word} ${(ms % larger) / size} ${name}`;
  }
  return age(ms);
}

// age writes how long something took or has been: never more than two digits that matter.
export function age(ms) {
  if (!isNumber(ms)) return NONE;
  const negative = ms < 0 ? "−" : "";
  const size = Math.abs(ms);
  if (size < 9.95) return `${negative}${decimals(size === 0 ? 0 : 1).format(size)} ms`;
  if (size < 1000) return `${negative}${Math.round(size)} ms`;
  if (size < 9950) return `${negative}${decimals(1).format(size / 1000)} s`;
  if (size < 100_000) return `${negative}${Math.round(size / 1000)} s`;
  if (size < 6_000_000) return `${negative}${Math.round(size / 60_000)} min`;
  if (size < 172_800_000) return `${negative}${Math.round(size / 3_600_000)} h`;
  return `${negative}${Math.round(size / 86_400_000)} d`;
}

export function bytes(n) {
  if (!isNumber(n)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${decimals(i === 0 || n >= 99.95 ? 0 : 1).format(n)} ${units[i]}`;
}

// clock writes the time of day; with seconds unless told otherwise.
export function clock(ms, { seconds = true } = {}) {
  if (!isNumber(ms)) return NONE;
  const t = new Date(ms);
  const pad = (n) => String(n).padStart(2, "0");
  const hm = `${pad(t.getHours())}:${pad(t.getMinutes())}`;
  return seconds ? `${hm}:${pad(t.getSeconds())}` : hm;
}

// when writes a moment: the time of day, and the day if it is not today's.
export function when(ms, now) {
  if (!isNumber(ms)) return NONE;
  const [t, today] = [new Date(ms), new Date(now)];
  const time = clock(ms, { seconds: false });
  if (t.toDateString() === today.toDateString()) return time;
  return `${day(ms)}${t.getFullYear() === today.getFullYear() ? "" : ` ${t.getFullYear()}`} ${time}`;
}

// day writes a date: "26 Nov".
export const day = (ms) => `${new Date(ms).getDate()} ${new Date(ms).toLocaleString(locale, { month: "short" })}`;

// stamp writes a moment of a chart: with the day if the chart is of days, and with seconds if it is of less than an hour.
export function stamp(ms, { left, right }) {
  if (!isNumber(ms)) return NONE;
  if (right - left > DAYS) return `${day(ms)} ${clock(ms, { seconds: false })}`;
  return clock(ms, { seconds: right - left <= 7_200_000 });
}

// tick writes a moment at a line of the grid, step being the distance of lines.
export function tick(ms, step) {
  const t = new Date(ms);
  if (step >= 86_400_000 || (step >= 3_600_000 && t.getHours() + t.getMinutes() === 0)) return day(ms);
  return clock(ms, { seconds: step < 60_000 });
}

const DAYS = 20 * 3_600_000;

// change compares with before. direction says whether it went up, and sense whether that is good ("better"), bad
// ("worse") or neither ("neutral"). null: there is nothing to compare.
export function change(now, before, sense) {
  if (!isNumber(now) || !isNumber(before) || before === 0) return null;
  const ratio = (now - before) / Math.abs(before);
  const size = Math.abs(ratio) * 100;
  const shown = size >= 999.5 ? "> 999 %" : `${decimals(size < 99.95 ? 1 : 0).format(size)} %`;
  if (shown === "0.0 %") return { direction: "same", sense: "neutral", text: shown };
  const up = ratio > 0;
  const good = sense === "neutral" ? "neutral" : up === (sense === "higher") ? "better" : "worse";
  return { direction: up ? "up" : "down", sense: good, text: shown };
}

// groupName is the name of a group as people read it, and whether it is one of ours, (other) and (none), rather than a
// real value. Real values that read like ours come escaped with a backslash.
export function groupName(raw, key) {
  if (raw === "(other)") return { name: "Other", ours: true };
  if (raw === "(none)") return { name: key === "currency" ? "No currency" : "Unknown", ours: true };
  if (/^\\+\((other|none)\)$/.test(raw)) return { name: raw.slice(1), ours: false };
  const symbol = (key === "device_type" || key === "event_type") && /^[A-Z][A-Z_]*$/.test(raw);
  return { name: symbol ? raw[0] + raw.slice(1).toLowerCase().replaceAll("_", " ") : raw, ours: false };
}

// keyName is the name of a group key as people read it.
export const keyName = (key) => (key === "url" ? "URL" : key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " "));
