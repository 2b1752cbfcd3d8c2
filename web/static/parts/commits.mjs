import { course } from "../lib/course.mjs";
import { age, bytes, fixed, span } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { Spark } from "./spark.mjs";

// Commits shows how committing went in the last minutes, as the server remembers it since it was started.
export function Commits({ commit }) {
  const { step_ms: step, points } = commit.course;
  const lines = course(points, step);
  const known = lines.longest.filter((v) => v !== null);
  const line = (name, values, show, title) => html`<tr title=${title}><th scope="row">${name}</th><td class="commit-line"><${Spark} values=${values} /></td><td class="num">${show(values.at(-1))}</td><td class="num note">${show(Math.max(...values.filter((v) => v !== null)))}</td></tr>`;
  return html`<section class="card" aria-labelledby="commits">
    <header class="card-head"><h2 id="commits">Commits</h2><span class="note">${known.length > 1 ? `the last ${span(lines.longest.length * step)}` : ""}</span></header>
    ${known.length === 0
      ? html`<p class="empty">None since the server was started.</p>`
      : html`<table class="plain commits"><thead><tr><th scope="col"><span class="hidden">What</span></th><th scope="col"><span class="hidden">Over time</span></th><th scope="col" class="num">Now</th><th scope="col" class="num">Highest</th></tr></thead><tbody>
        ${line("Duration", lines.longest, age, `the longest in ${span(step)}, of writing and syncing`)}
        ${line("Size", lines.size, bytes, `the mean over ${span(step)}, before compression`)}
        ${line("A second", lines.rate, (v) => fixed(v, 1), "commits")}
      </tbody></table>`}
  </section>`;
}
