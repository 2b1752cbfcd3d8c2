import { html } from "../lib/html.mjs";

// What pages choose with.

// Segments is one of a few: options are [value, words].
export const Segments = ({ label, options, value, choose }) => html`<div class="segments" role="group" aria-label=${label}>
  ${options.map(([one, words, title]) => html`<button key=${one} aria-pressed=${one === value} title=${title} onClick=${() => choose(one)}>${words}</button>`)}
</div>`;

// Select is one of many.
export const Select = ({ label, options, value, choose, first }) => html`<label class="select"><span class="note">${label}</span>
  <select value=${value} data-filter=${first} onChange=${(event) => choose(event.target.value)}>
    ${options.map(([one, words]) => html`<option key=${one} value=${one} selected=${one === value}>${words}</option>`)}
  </select>
</label>`;

// Chip is something that narrows what is shown, until it is taken away.
export const Chip = ({ name, value, remove }) => html`<span class="chip"><span class="chip-text">${name} <strong>${value}</strong></span><button aria-label=${`Remove ${name} ${value}`} onClick=${remove}>×</button></span>`;
