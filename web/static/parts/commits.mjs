import { age, fixed, span, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { looks } from "../lib/state.mjs";
import { Spark } from "./spark.mjs";

// Commits shows how committing went while this page was open: REST says how it goes now, not how it went.
export function Commits() {
  const list = looks.value;
  const last = list.at(-1);
  if (last === undefined || last.body.commit.age_ms === null) return null;
  const took = list.map((l) => l.body.commit.duration_ms_p99);
  const rates = list.map((l, i) => (i === 0 ? null : Math.max(0, (1000 * (l.body.commit.seq - list[i - 1].body.commit.seq)) / (l.at - list[i - 1].at))));
  const since = span(Math.max(1, Math.round((last.at - list[0].at) / 60_000)) * 60_000);
  const line = (name, values, show) => html`<tr><th scope="row">${name}</th><td class="commit-line"><${Spark} values=${values} /></td><td class="num">${show(values.at(-1))}</td><td class="num note">${show(Math.max(...values.filter((v) => v !== null)))}</td></tr>`;
  return html`<section class="card" aria-labelledby="commits">
    <header class="card-head"><h2 id="commits">Commits</h2><span class="note">${list.length < 3 ? "as of now" : `over ${since}, while this page was open`}</span></header>
    <table class="plain commits"><thead><tr><th scope="col"><span class="hidden">What</span></th><th scope="col"><span class="hidden">Over time</span></th><th scope="col" class="num">Now</th><th scope="col" class="num">Highest</th></tr></thead><tbody>
      ${line("Median", list.map((l) => l.body.commit.duration_ms_p50), age)}
      ${line("p99", took, age)}
      ${line("Age", list.map((l) => l.body.commit.age_ms), age)}
      ${rates.length > 1 && line("Entries/s", rates, (v) => (v >= 100 ? whole(Math.round(v)) : fixed(v, 1)))}
    </tbody></table>
  </section>`;
}
