import { getText } from "./rest.mjs";

// What can be taken away: the server's own CSV, and a picture of a chart.

export async function saveCSV(path, name) {
  save(new Blob([await getText(path, "text/csv")], { type: "text/csv" }), `${name}.csv`);
}

const HEAD = 56; // px above the drawing, for title and note

// savePicture takes a chart as it is drawn, under its title.
export async function savePicture(figure, name) {
  const drawn = figure.querySelector("canvas");
  const style = getComputedStyle(figure);
  const ratio = devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width + 32 * ratio;
  canvas.height = drawn.height + (HEAD + 16) * ratio;
  const ink = canvas.getContext("2d");
  ink.fillStyle = style.getPropertyValue("--card").trim();
  ink.fillRect(0, 0, canvas.width, canvas.height);
  ink.fillStyle = style.getPropertyValue("--ink").trim();
  ink.font = `600 ${14 * ratio}px Inter, system-ui`;
  ink.fillText(figure.querySelector("h2").textContent, 16 * ratio, 24 * ratio);
  ink.fillStyle = style.getPropertyValue("--muted").trim();
  ink.font = `${12 * ratio}px Inter, system-ui`;
  ink.fillText(figure.querySelector("figcaption").textContent, 16 * ratio, 44 * ratio, canvas.width - 32 * ratio);
  ink.drawImage(drawn, 16 * ratio, HEAD * ratio);
  save(await new Promise((done) => canvas.toBlob(done, "image/png")), `${name}.png`);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
