import { bytes, share } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";

// What the largest keyspaces hold, in words; the others are known by their names.
const words = {
  pane: "open panes", history: "history", result: "results", session: "open sessions", feed: "feed", alert: "alerts", journal: "journal of floors", digest: "digests", mark: "marks of replay",
};

// Keyspaces is what takes the room in the store: the largest keyspaces, what the others take, and what is in no table yet.
export function Keyspaces({ store }) {
  const order = store.keyspaces.toSorted((a, b) => b.bytes - a.bytes);
  const tables = order.reduce((sum, one) => sum + one.bytes, 0);
  const large = order.filter((one) => one.bytes >= tables * 0.005 && one.bytes > 0).slice(0, 7);
  const rest = tables - large.reduce((sum, one) => sum + one.bytes, 0);
  const rows = [
    ...large.map((one) => [words[one.name] ?? one.name.replaceAll("_", " "), one.bytes]),
    ...(rest > 0 ? [[`${order.length - large.length} others`, rest]] : []),
    ...(store.bytes > tables ? [["logs, and not in tables yet", store.bytes - tables]] : []),
  ];
  const largest = Math.max(1, ...rows.map(([, n]) => n));
  return html`<section class="card" aria-labelledby="store">
    <header class="card-head"><h2 id="store">Store</h2><span class="note">${bytes(store.bytes)} on disk, ${bytes(store.free_bytes)} free</span></header>
    <ul class="spaces">${rows.map(([name, n]) => html`<li key=${name}>
      <span class="row-bar" style=${{ transform: `scaleX(${(n / largest).toFixed(4)})` }}></span>
      <span class="row-name">${name}</span><span class="row-value">${bytes(n)}</span><span class="row-share">${share(n, store.bytes)}</span>
    </li>`)}</ul>
  </section>`;
}
