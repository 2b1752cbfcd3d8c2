import { age, bytes, fixed, percent, whole } from "../lib/format.mjs";
import { totalLag, verdictTone } from "../lib/freshness.mjs";
import { html } from "../lib/html.mjs";
import { clockAhead } from "../lib/rest.mjs";
import { catchUp, pipeline, trouble } from "../lib/state.mjs";
import { Commits } from "./commits.mjs";
import { Definitions } from "./definitions.mjs";
import { Keyspaces } from "./keyspaces.mjs";
import { Late, Letters } from "./letters.mjs";
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
      ${notices(p).map(([tone, who, says]) => html`<p class=${`stands ${tone}`} key=${who}><strong>${who}</strong> ${commands(says)}</p>`)}
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
      <div class="stack">
        <${Partitions} partitions=${p.partitions} watermark=${p.watermark_ms} now=${look.at + clockAhead} />
        <${Keyspaces} store=${p.store} />
      </div>
      <div class="aside">
        <${Records} counters=${p.counters} />
        <${Commits} commit=${p.commit} />
        <${Outputs} pipeline=${p} />
      </div>
    </div>
    <${Letters} total=${p.counters.dead_letters} />
    <${Late} total=${p.counters.late + p.counters.late_partly} />
    <${Definitions} />
  </main>`;
}

// notices are what needs somebody, or will pass, in the server's own words: a server without a field has nothing to say in it.
function notices(p) {
  const list = [];
  const add = (tone, who, says) => says && list.push([tone, who, says]);
  add("bad", "Held:", p.held);
  add("bad", "Publishing stands still:", p.outputs?.fault);
  add("busy-text", "Publishing waits:", p.outputs?.trouble);
  for (const one of p.partitions) {
    add("bad", `${one.topic}/${one.partition} stands still:`, one.fault && [one.fault, one.fault_advice].filter(Boolean).join(". "));
    add("busy-text", `${one.topic}/${one.partition} waits:`, one.waiting);
  }
  return list;
}

// commands sets what stands between backticks (x60) as code.
const commands = (text) => text.split("\x60").map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part));

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
    ${c.bad_values > 0 && html`<p class="note small">${whole(c.bad_values)} values were no numbers, or out of range, and counted as missing.</p>`}
    ${c.late_partly > 0 && html`<p class="note small">${whole(c.late_partly)} of the applied were late for some definitions.</p>`}
  </section>`;
}

function Outputs({ pipeline: p }) {
  return html`<section class="card" aria-labelledby="outputs">
    <header class="card-head"><h2 id="outputs">Readers</h2><span class="note">feed at ${whole(p.commit.seq)}</span></header>
    <table class="plain"><tbody>
      ${p.readers.map((r) => html`<tr key=${r.name}><th scope="row">${r.name}</th><td class="num">${r.lag === 0 ? "up to date" : `${whole(r.lag)} behind`}</td><td class="num note">at ${whole(r.position)}</td></tr>`)}
      <tr title="For how long the slowest has been waited for to take a frame"><th scope="row">live clients</th><td class="num">${p.live_clients === 0 ? "none" : p.live_lag_ms > 1000 ? `slowest ${age(p.live_lag_ms)} behind` : "up to date"}</td><td class="num note">${p.live_clients > 0 && whole(p.live_clients)}</td></tr>
    </tbody></table>
  </section>`;
}
