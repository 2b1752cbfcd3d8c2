import { html } from "../lib/html.mjs";

// Titled is a metric's title, which says in the definition's own words what it is: to a mouse, to the keyboard, to a touch.
export const Titled = ({ metric, id, name = metric.title }) => html`<div class="titled">
  <h2 id=${id}><button class="title-face" aria-describedby=${`${id}-tip`}>${name}</button></h2>
  <div class="tip" role="tooltip" id=${`${id}-tip`}><p>${metric.description || metric.title}</p><p class="tip-more">${metric.formula} · ${metric.unit}</p></div>
</div>`;
