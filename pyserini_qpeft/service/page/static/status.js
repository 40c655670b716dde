// What the page does now, how long it took, and what went wrong.
import { byId } from "./elements.js";

let clock = 0; // the timer of what is done now

export function say(text) {
  clearInterval(clock);
  byId("clock").textContent = "";
  byId("status").textContent = text;
}

/** Says what is done now, and for how long it has been. Screen readers do not read the seconds. */
export function sayWhile(doing) {
  say(`${doing} …`);
  const since = Date.now();
  clock = setInterval(() => {
    byId("clock").textContent = `${Math.round((Date.now() - since) / 1000)} s`;
  }, 1000);
}

/** Shows a button that asks, or one that stops. */
export function showRunning(running) {
  byId("submit").hidden = running;
  byId("stop").hidden = !running;
}

export function showError(text) {
  byId("error").hidden = !text;
  byId("error").textContent = text;
}

export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** The times of one query, as the server measured them; `searched` is null for pasted passages. */
export function times(hits, searched, scored) {
  const passages = hits.filter(({ likelihood, stages }) => likelihood !== null || stages).length;
  const parts = [count(hits.length, "passage")];
  if (passages < hits.length) parts.push(`${passages} scored`);
  if (searched) parts.push(`search ${duration(searched.seconds)}`);
  const speed = passages / scored.seconds;
  parts.push(`scoring ${duration(scored.seconds)}`, `${speed < 10 ? speed.toFixed(1) : Math.round(speed)} passages/s`);
  return parts.join(" · ");
}

const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);
