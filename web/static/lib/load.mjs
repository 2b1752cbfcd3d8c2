import { useEffect, useState } from "../vendor/hooks.mjs";
import * as prefs from "./prefs.mjs";

const STILL = 1000; // ms between looks of a page that stands still, whether it may ask again
const AGAIN = 5_000; // ms until what could not be answered is asked again

// useAnswer asks whenever the key changes, and then again every so many ms, unless the page is hidden or stands still. What
// was answered last stays until there is something new; current says whether it belongs to the key. A new beat has it ask at
// once.
export function useAnswer(key, ask, { every = 0, beat = 0 } = {}) {
  const [look, setLook] = useState({ key: null, answer: null, trouble: null });
  useEffect(() => {
    if (key === null) return;
    let left = false;
    let timer = null;
    const load = async () => {
      if ((document.hidden || prefs.paused.peek()) && timer !== null) {
        timer = setTimeout(load, STILL);
        return;
      }
      let wait = every;
      try {
        const answer = await ask();
        if (!left) setLook({ key, answer, trouble: null });
      } catch (error) {
        if (error.status === undefined) throw error; // ours, not the server's
        if (error.status === 0 || error.status === 429 || error.status >= 500) wait = AGAIN;
        if (!left) setLook((before) => ({ ...before, trouble: { key, error } }));
      }
      if (!left && wait > 0) timer = setTimeout(load, wait);
    };
    load();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [key, beat]);
  return { answer: look.answer, current: look.key === key, trouble: look.trouble?.key === key ? look.trouble.error : null };
}
