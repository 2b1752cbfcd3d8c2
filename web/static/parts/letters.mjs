import { clock, whole } from "../lib/format.mjs";
import { html } from "../lib/html.mjs";
import { preview, Tally } from "../lib/letters.mjs";
import { get } from "../lib/rest.mjs";
import { useEffect, useRef, useState } from "../vendor/hooks.mjs";

const PAGE = 1000;
const PAGES = 10; // read at once; the rest comes with the next look

// Letters shows the records that can't be used: how many by reason, and the newest. It asks again when the count moves.
export function Letters({ total }) {
  const tally = useRef(new Tally());
  const [look, setLook] = useState(null); // {problem}; a new one draws the tally again
  useEffect(() => {
    let left = false;
    readOn(tally.current, () => left).then(
      () => left || setLook({ problem: null }),
      (problem) => left || setLook({ problem }),
    );
    return () => (left = true);
  }, [total]);
  const { reasons, samples, read } = tally.current;
  return html`<section class="card" aria-labelledby="letters">
    <header class="card-head"><h2 id="letters">Dead letters</h2>
      <span class="note">${read < total ? `the feed still has ${whole(read)} of ${whole(total)}` : whole(total)}</span>
    </header>
    ${look?.problem && html`<p class="empty">They can't be read: ${look.problem.message}</p>`}
    ${total === 0 && html`<p class="empty">Every record could be used.</p>`}
    ${samples.length > 0 && html`
      <p class="reasons">${[...reasons].map(([reason, n]) => html`<span class="badge" key=${reason}>${reason} <strong>${whole(n)}</strong></span>`)}</p>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Newest dead letters"><table class="letters">
        <thead><tr><th scope="col">Read</th><th scope="col">Reason</th><th scope="col">Where</th><th scope="col">Detail</th><th scope="col">Value</th></tr></thead>
        <tbody>${samples.map((s) => html`<tr key=${s.seq}>
          <th scope="row">${clock(s.at_ms)}</th><td>${s.reason}</td><td class="nowrap">${s.topic}/${s.partition}/${s.offset}</td>
          <td>${s.detail}</td><td class="value"><code>${preview(s.value_base64).text}</code></td>
        </tr>`)}</tbody>
      </table></div>`}
  </section>`;
}

async function readOn(tally, left) {
  for (let page = 0; page < PAGES && !left(); page++) {
    const after = await start(tally);
    const answer = await get(`/dead-letters?after=${after}&limit=${PAGE}`);
    if (left()) return;
    tally.add(answer.entries);
    if (answer.entries.length < PAGE) return;
  }
}

// start is where to read on. The feed keeps some days only, so that its beginning is not always 0.
async function start(tally) {
  if (tally.after > 0) return tally.after;
  const { first } = await get("/feed?after=0&limit=1").catch((error) => {
    if (error.status === 410) return { first: null };
    throw error;
  });
  return first === null ? 0 : Math.max(0, first - 1);
}
