import { html } from "../lib/html.mjs";

// NothingYet stands in for the charts until the first event.
export function NothingYet({ topic }) {
  return html`<section class="card nothing">
    <h2>Nothing has arrived on <code>${topic}</code> yet</h2>
    <p>The page fills by itself with the first events. To see some, run this beside the server:</p>
    <pre><code>tidemark simulate --rate 200 --duration 10m</code></pre>
    <p class="note">It writes to 127.0.0.1:9092; name another broker with <code>--kafka-brokers</code>.</p>
  </section>`;
}
