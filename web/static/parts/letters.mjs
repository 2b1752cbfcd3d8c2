import { age, clock, stamp, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { fields, LateTally, preview, Tally } from "../lib/letters.mjs";
import { get } from "../lib/rest.mjs";
import { useEffect, useRef, useState } from "../vendor/hooks.mjs";

const PAGE = 1000;
const PAGES = 10; // read at once; the rest comes with the next look

// Letters shows the records that can't be used: how many by reason, and the newest.
export function Letters({ total }) {
  const { tally, problem } = useFeed(Tally, "/dead-letters?", total);
  return html`<${Kind} id="letters" title="Dead letters" tally=${tally} problem=${problem} note=${tally.read < total ? `the feed still has ${whole(tally.read)} of ${whole(total)}` : whole(total)}
    none=${total === 0 && "Every record could be used."} heads=${["Read", "Reason", "Where", "Detail", "Value"]}>
    ${tally.samples.map((s) => html`<tr key=${s.seq}>
      <th scope="row">${clock(s.at_ms)}</th><td>${s.reason}</td><td class="nowrap">${s.topic}/${s.partition}/${s.offset}</td>
      <td>${s.detail}</td><td class="value"><code>${s.decoded ? fields(s.decoded) : preview(s.value_base64).text}</code></td>
    </tr>`)}
  <//>`;
}

// Late shows the records that some definition refused because its window had closed.
export function Late({ total }) {
  const { tally, problem } = useFeed(LateTally, "/feed?types=late&", total);
  const scale = { left: 0, right: Infinity }; // with the day
  return html`<${Kind} id="late" title="Late records" tally=${tally} problem=${problem} note=${total === 0 ? "0" : "refused, by definition; how late is by the clock of the commit"}
    none=${total === 0 && "No record came too late."} heads=${["Read", "Event time", "How late", "Where", "Refused by"]}>
    ${tally.samples.map((s) => html`<tr key=${`${s.partition}/${s.offset}`}>
      <th scope="row">${clock(s.at_ms)}</th><td class="nowrap">${stamp(s.event_time_ms, scale)}</td><td class="nowrap">${age(s.at_ms - s.event_time_ms)}</td>
      <td class="nowrap">${s.topic}/${s.partition}/${s.offset}</td><td>${s.refused}</td>
    </tr>`)}
  <//>`;
}

function Kind({ id, title, tally, problem, note, none, heads, children }) {
  return html`<section class="card" aria-labelledby=${id}>
    <header class="card-head"><h2 id=${id}>${title}</h2><span class="note">${note}</span></header>
    ${problem && html`<p class="empty">They can't be read: ${problem.message}</p>`}
    ${none && html`<p class="empty">${none}</p>`}
    ${tally.samples.length > 0 && html`
      <p class="reasons">${[...tally.reasons].map(([reason, n]) => html`<span class="badge" key=${reason}>${reason} <strong>${whole(n)}</strong></span>`)}</p>
      <div class="scroll tall" tabindex="0" role="region" aria-label=${`Newest of ${title.toLowerCase()}`}><table class=${id}>
        <thead><tr>${heads.map((head) => html`<th scope="col" key=${head}>${head}</th>`)}</tr></thead>
        <tbody>${children}</tbody>
      </table></div>`}
  </section>`;
}

// useFeed reads entries into a tally, and asks again when the count moves.
function useFeed(Kept, path, total) {
  const tally = useRef(null);
  tally.current ??= new Kept();
  const [look, setLook] = useState({ problem: null }); // a new one draws the tally again
  useEffect(() => {
    let left = false;
    readOn(tally.current, path, () => left).then(
      () => left || setLook({ problem: null }),
      (problem) => left || setLook({ problem }),
    );
    return () => (left = true);
  }, [total]);
  return { tally: tally.current, problem: look.problem };
}

async function readOn(tally, path, left) {
  for (let page = 0; page < PAGES && !left(); page++) {
    const after = await start(tally);
    const answer = await get(`${path}after=${after}&limit=${PAGE}`);
    if (left()) return;
    tally.add(answer.entries);
    if (answer.entries.length < PAGE) return;
  }
}

// start is where to read on. The feed keeps some days only, so that its beginning is not always 0.
async function start(tally) {
  if (tally.after > 0) return tally.after;
  const { first } = await get("/feed?limit=1");
  return Math.max(0, first - 1);
}
