import { html } from "../lib/html.mjs";

const keys = [
  ["1 – 4", "Live, History, Alerts, Pipeline"],
  ["/", "Filter"],
  ["space", "Pause, or go on"],
  ["t", "Light or dark"],
  ["[ ]", "History: earlier, later"],
  ["← →", "Move through the chart, when it has the focus"],
  ["?", "This list"],
];

export function Help({ dialog }) {
  return html`<dialog class="help" ref=${dialog} aria-labelledby="help-title" onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    <form method="dialog">
      <header class="card-head"><h2 id="help-title">Keyboard</h2><button class="button" autofocus>Close</button></header>
      <dl>${keys.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    </form>
  </dialog>`;
}
