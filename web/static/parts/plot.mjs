import { axis, tick } from "../lib/format.mjs";
import uPlot from "../vendor/uplot.mjs";

// makePlot draws charts into an element, whose size it follows. Colours come from the style, so that they are right in
// light and dark. moved(cursor) is told {index, x, flip} where the cursor is, null when it has left; marked(from, to) what
// was marked with the mouse, in ms.
export function makePlot(element, { moved, marked }) {
  let chart = null;
  let marks = [];
  const paint = () => getComputedStyle(element);
  const colour = (name) => () => paint().getPropertyValue(name).trim();

  const plot = new uPlot(
    {
      ...size(element),
      ms: 1,
      padding: [12, 0, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 8 }, points: { size: 7, width: 2, stroke: colour("--card"), fill: colour("--sea") } },
      scales: {
        x: { time: true, range: () => (chart ? [chart.left, chart.right] : [0, 1]) },
        y: { range: (_, low, high) => [Math.min(0, low * 1.08), (high > 0 ? high : low < 0 ? 0 : 1) * 1.08] },
      },
      axes: axes(element, colour, () => chart),
      series: [
        {},
        { stroke: colour("--sea"), fill: colour("--sea-wash"), width: 1.75, points: lonely },
        { stroke: colour("--before"), width: 1.25, dash: [4, 4], points: lonely },
        { stroke: colour("--sea"), width: 1.75, dash: [2, 3], points: { show: false } },
      ],
      hooks: {
        drawClear: [(u) => chart && drawOpen(u, chart.watermark, paint())],
        draw: [(u) => drawMarks(u, marks, paint())],
        setCursor: [(u) => moved(place(u))],
        setSelect: [
          (u) => {
            const { left, width } = u.select;
            if (width === 0) return;
            u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            marked(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
          },
        ],
      },
    },
    [[], [], [], []],
    element,
  );
  const watcher = new ResizeObserver(() => plot.setSize(size(element)));
  watcher.observe(element);
  document.fonts.ready.then(() => plot.redraw(false, true));

  return {
    show(next, alerts) {
      chart = next;
      marks = alerts;
      plot.setData([next.times, next.closed, next.before, next.open]);
    },
    point(index) {
      plot.setCursor({ left: plot.valToPos(chart.times[index], "x"), top: 0 });
    },
    repaint: () => plot.redraw(false, true),
    destroy() {
      watcher.disconnect();
      plot.destroy();
    },
  };
}

// axes are time below and the metric's unit at the left. chart() is what is drawn now.
function axes(element, colour, chart) {
  const plain = { stroke: colour("--muted"), font: "11px Inter, system-ui", gap: 8, ticks: { show: false }, border: { show: false } };
  return [
    {
      ...plain, size: 28, space: 88, grid: { show: false },
      values: (u, splits, _, __, step) => splits.map((t) => (u.valToPos(t, "x") > u.over.clientWidth - 16 ? "" : tick(t, step))),
    },
    {
      ...plain, size: () => (element.clientWidth < 480 ? 44 : 52), space: 56, grid: { stroke: colour("--line"), width: 1 },
      incrs: (...args) => steps(chart(), ...args),
      values: (_, splits) => splits.map((v) => (chart() && v !== null ? axis(v, chart().metric.unit, { currency: chart().currency }) : "")),
    },
  ];
}

const size = (element) => ({ width: element.clientWidth || 320, height: element.clientHeight || 240 });

function place(u) {
  const { idx, left } = u.cursor;
  if (idx == null || left == null || left < 0) return null;
  const x = u.bbox.left / devicePixelRatio + left;
  return { index: idx, x, flip: left > u.bbox.width / devicePixelRatio / 2 };
}

// lonely shows points that no line leads to.
const lonely = {
  show: true, size: 4,
  filter(u, index) {
    const values = u.data[index];
    return values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
  },
};

const clean = [1, 2, 2.5, 5];
const ofTime = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

// steps are the distances that grid lines may have: seconds count in sixties.
function steps(chart) {
  if (chart?.metric.unit === "s") return ofTime;
  const list = [];
  for (let e = -12; e <= 24; e++) for (const c of clean) list.push(c * 10 ** e);
  return list;
}

// drawMarks sets a dot above the line where an alert began to fire.
function drawMarks(u, marks, style) {
  const ratio = devicePixelRatio;
  for (const mark of marks) {
    const x = u.valToPos(mark.at, "x", true);
    const y = Math.max(u.bbox.top, u.valToPos(mark.value, "y", true) - 10 * ratio);
    u.ctx.beginPath();
    u.ctx.arc(x, y, 4 * ratio, 0, 2 * Math.PI);
    u.ctx.fillStyle = style.getPropertyValue(`--${mark.severity.toLowerCase()}`).trim();
    u.ctx.fill();
    u.ctx.strokeStyle = style.getPropertyValue("--card").trim();
    u.ctx.lineWidth = 1.5 * ratio;
    u.ctx.setLineDash([]);
    u.ctx.stroke();
  }
}

// drawOpen hatches what lies right of the watermark, and marks it: windows that end there can still change.
function drawOpen(u, watermark, style) {
  if (watermark === null || watermark >= u.scales.x.max) return;
  const ratio = devicePixelRatio;
  const { left, top, width, height } = u.bbox;
  const x = Math.max(left, Math.min(left + width, Math.round(u.valToPos(watermark + 1, "x", true))));
  const ctx = u.ctx;
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, top, left + width - x, height);
  ctx.clip();
  ctx.strokeStyle = style.getPropertyValue("--hatch").trim();
  ctx.lineWidth = ratio;
  ctx.setLineDash([]);
  ctx.beginPath();
  for (let d = x - height; d < left + width; d += 6 * ratio) {
    ctx.moveTo(d, top + height);
    ctx.lineTo(d + height, top);
  }
  ctx.stroke();
  ctx.restore();
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = style.getPropertyValue("--muted").trim();
  ctx.lineWidth = ratio;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(x + ratio / 2, top - 8 * ratio);
  ctx.lineTo(x + ratio / 2, top + height);
  ctx.stroke();
  ctx.font = `${11 * ratio}px Inter, system-ui`;
  const room = x - left > 80 * ratio;
  ctx.textAlign = room ? "right" : "left";
  ctx.textBaseline = "top";
  ctx.fillText("watermark", x + (room ? -6 : 6) * ratio, top - 8 * ratio);
  ctx.restore();
}
