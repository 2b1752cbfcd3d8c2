import { html } from "../lib/html.mjs";

export const Mark = () => html`<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
  <path d="M2 7q2.5-3 5 0t5 0 5 0 5 0" />
  <path d="M2 13q2.5-3 5 0t5 0 5 0 5 0" />
  <path class="dots" d="M2 19h20" />
</svg>`;

export const Half = () => html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
  <circle cx="8" cy="8" r="6" /><path class="solid" d="M8 2a6 6 0 0 1 0 12z" />
</svg>`;

export const Bars = () => html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M5.5 3.5v9M10.5 3.5v9" /></svg>`;

export const Play = () => html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path class="solid" d="M5 3.2v9.6L12.6 8z" /></svg>`;

export const Arrow = ({ up }) => html`<svg class="arrow" viewBox="0 0 10 10" width="9" height="9" aria-hidden="true"><path d=${up ? "M5 1 10 9H0z" : "M5 9 0 1h10z"} /></svg>`;
