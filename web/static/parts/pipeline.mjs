import { age, bytes, fixed, percent, span, whole } from "../lib/format.mjs";
import { totalLag, verdictTone } from "../lib/freshness.mjs";
import { html } from "../lib/html.mjs";
import { clockAhead } from "../lib/rest.mjs";
import { catchUp, metrics, pipeline, trouble } from "../lib/state.mjs";
import { Letters } from "./letters.mjs";
import { Partitions } from "./partitions.mjs";

export function Pipeline() {
  const look = pipeline.value;
  if (look === null) {
    return html`<main class="page" aria-busy="true"><h1 class="hidden">Pipeline</h1>
      <section class="card verdict">${trouble.value ? `The server does not answer: ${trouble.value.message}` : ""}</section></main>`;
  }
  const p = look.body;
  const rate = p.partitions.reduce((sum, one) => sum + one.rate, 0);
  const behind = p.watermark_ms === null ? null : Math.max(0, look.at + clockAhead - p.watermark_ms);
  return html`<main class="page">
    <section class="card verdict">
      <header>
        <h1><span class=${"dot " + verdictTone(p)} aria-hidden="true"></span>${p.verdict}</h1>
        <p class="note">${catchUp.value !== null && p.state === "catching_up"
          ? `about ${age(catchUp.value)} left at the present pace`
          : `${whole(p.partitions.length)} partitions · last commit ${age(p.commit.age_ms)} ago · feed at ${whole(p.commit.seq)}`}</p>
      </header>
      <dl class="figures">
        <${Figure} name="Reading" value=${fixed(rate, 1)} unit="records/s" />
        <${Figure} name="Lag" value=${whole(totalLag(p))} unit="records" />
        <${Figure} name="Watermark" value=${behind === null ? "–" : age(behind)} unit=${behind === null ? "" : "behind"} />
        <${Figure} name="Commit, median" value=${age(p.commit.duration_ms_p50)} unit=${p.commit.duration_ms_p99 === null ? "" : `p99 ${age(p.commit.duration_ms_p99)}`} />
        <${Figure} name="Open sessions" value=${whole(p.open_sessions)} unit="" />
        <${Figure} name="Store" value=${bytes(p.store.bytes)} unit=${`${bytes(p.store.free_bytes)} free`} />
      </dl>
    </section>
    <div class="split">
      <${Partitions} partitions=${p.partitions} watermark=${p.watermark_ms} />
      <div class="aside">
        <${Records} counters=${p.counters} />
        <${Outputs} pipeline=${p} />
      </div>
    </div>
    <${Letters} total=${p.counters.dead_letters} />
    <${Definitions} />
  </main>`;
}

const Figure = ({ name, value, unit }) => html`<div class="fact"><dt>${name}</dt><dd><span class="number">${value}</span>${unit && html`<span class="unit">${unit}</span>`}</dd></div>`;

// Records shows what became of every record: the parts add up to the whole.
function Records({ counters: c }) {
  const line = (name, n, what) => html`<tr><th scope="row" title=${what}>${name}</th><td class="num">${whole(n)}</td><td class="num note">${c.consumed > 0 ? percent(n / c.consumed) : "–"}</td></tr>`;
  return html`<section class="card" aria-labelledby="records">
    <header class="card-head"><h2 id="records">Records</h2><span class="note">since the store was made</span></header>
    <table class="plain"><tbody>
      ${line("Applied", c.applied, "taken by at least one metric or by the sessions")}
      ${line("Filtered", c.filtered, "used by no definition")}
      ${line("Late", c.late, "refused by all that wanted them")}
      ${line("Dead letters", c.dead_letters, "can't be used")}
      ${line("Duplicates", c.duplicates, "seen before")}
    </tbody><tfoot><tr><th scope="row">Consumed</th><td class="num">${whole(c.consumed)}</td><td></td></tr></tfoot></table>
    ${c.late_partly > 0 && html`<p class="note small">${whole(c.late_partly)} of the applied were late for some definitions.</p>`}
  </section>`;
}

function Outputs({ pipeline: p }) {
  return html`<section class="card" aria-labelledby="outputs">
    <header class="card-head"><h2 id="outputs">Readers</h2><span class="note">feed at ${whole(p.commit.seq)}</span></header>
    <table class="plain"><tbody>
      ${p.readers.map((r) => html`<tr key=${r.name}><th scope="row">${r.name}</th><td class="num">${r.lag === 0 ? "up to date" : `${whole(r.lag)} behind`}</td></tr>`)}
      <tr><th scope="row">live clients</th><td class="num">${whole(p.live_clients)}</td></tr>
    </tbody></table>
  </section>`;
}

function Definitions() {
  if (metrics.value === null) return null;
  return html`<section class="card" aria-labelledby="definitions">
    <header class="card-head"><h2 id="definitions">Definitions in force</h2><span class="note">${whole(metrics.value.length)} metrics</span></header>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of definitions"><table class="definitions">
      <thead><tr><th scope="col">Metric</th><th scope="col">Window</th><th scope="col">By</th><th scope="col">Value</th><th scope="col">Unit</th><th scope="col">Hash</th></tr></thead>
      <tbody>${metrics.value.map((m) => html`<tr key=${m.name}>
        <th scope="row" title=${m.description}>${m.title}<br /><code class="note">${m.name}</code></th>
        <td>${span(m.size_ms)}${m.slide_ms !== m.size_ms ? ` every ${span(m.slide_ms)}` : ""}${m.kind === "session" ? ", closed sessions" : ""}</td>
        <td>${m.group_by.join(", ") || "–"}</td>
        <td><code>${m.formula}</code></td>
        <td>${m.unit}</td>
        <td><code class="note" title=${m.hash}>${m.hash.slice(0, 8)}</code></td>
      </tr>`)}</tbody>
    </table></div>
  </section>`;
}
