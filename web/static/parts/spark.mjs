import { html } from "../lib/html.mjs";

const WIDTH = 240;
const HEIGHT = 36;

// Spark is the shape of a line, without a scale: what moves by a few per cent fills part of the height only.
export function Spark({ values }) {
  const { line, area } = paths(values);
  return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <path class="spark-area" d=${area} /><path class="spark-line" d=${line} />
  </svg>`;
}

function paths(values) {
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return { line: "", area: "" };
  const low = Math.min(...known);
  const high = Math.max(...known);
  const middle = (low + high) / 2;
  const range = Math.max(high - low, Math.abs(middle) * 0.25, 1e-12);
  const x = (i) => ((i * WIDTH) / (values.length - 1)).toFixed(1);
  const y = (v) => (HEIGHT * 0.56 - ((v - middle) / range) * HEIGHT * 0.6).toFixed(1);
  let line = "";
  let area = "";
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null) continue;
    const starts = i === 0 || values[i - 1] === null;
    const ends = i === values.length - 1 || values[i + 1] === null;
    line += `${starts ? "M" : "L"}${x(i)} ${y(values[i])}`;
    area += starts ? `M${x(i)} ${HEIGHT}L${x(i)} ${y(values[i])}` : `L${x(i)} ${y(values[i])}`;
    if (ends) area += `L${x(i)} ${HEIGHT}Z`;
  }
  return { line, area };
}
