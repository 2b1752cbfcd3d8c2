// What parts are written with: templates that become elements. Values become attributes and text nodes, never markup, so
// that hostile text stays text.
import htm from "../vendor/htm.mjs";
import { h } from "../vendor/preact.mjs";

export const html = htm.bind(h);
