import { saveCSV, savePicture } from "../lib/export.mjs";
import { html } from "../lib/html.mjs";
import { useEffect, useRef, useState } from "../vendor/hooks.mjs";

// Export is a menu: what the chart shows as the server's own CSV, or as it is drawn. path is what to ask for, name what to
// call the file.
export function Export({ path, name }) {
  const menu = useRef(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const close = (event) => {
      if (event.type === "keydown" ? event.key === "Escape" : !menu.current.contains(event.target)) menu.current.open = false;
    };
    addEventListener("pointerdown", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("keydown", close);
    };
  }, []);
  const figure = () => document.querySelector("figure.figure");
  const run = async (does) => {
    setTrouble("");
    try {
      await does();
      menu.current.open = false;
    } catch (error) {
      if (error.status === undefined) throw error;
      setTrouble(`The server does not answer: ${error.message}`);
    }
  };
  const picture = () => (figure()?.querySelector("canvas") ? run(() => savePicture(figure(), name)) : setTrouble("Show the chart to take a picture of it."));
  return html`<details class="menu" ref=${menu}>
    <summary class="button">Export</summary>
    <div class="menu-box">
      <button onClick=${() => run(() => saveCSV(path, name))}>CSV<span class="note">every point, from the server</span></button>
      <button onClick=${picture}>PNG<span class="note">the chart as it is drawn</span></button>
      ${trouble && html`<p class="bad" role="alert">${trouble}</p>`}
    </div>
  </details>`;
}
