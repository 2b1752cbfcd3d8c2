import { html } from "../lib/html.mjs";

// Titled is a metric's title, which says in the definition's own words what it is: to a mouse, to the keyboard, to a touch.
export const Titled = ({ metric, id, name = metric.title }) => html`<h2 id=${id} class="titled">
  <button class="title-face" aria-describedby=${`${id}-tip`}>${name}</button>
  <span class="tip" role="tooltip" id=${`${id}-tip`}>${metric.description || metric.title}<span class="tip-more">${metric.formula} · ${metric.unit}</span></span>
</h2>`;
