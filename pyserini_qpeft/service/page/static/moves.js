// The lines between the two lists, and the rows that glide to their new places.
import { byId } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const FAR = 5; // ranks; longer moves have a stronger line
const still = matchMedia("(prefers-reduced-motion: reduce)");

let shown = new Map(); // place in the first stage → y of its row in the second list, as drawn
let frame = 0;

/** Draws the moves from the order of the rows in the document; rows glide from where they were. */
export function drawMoves({ glide = false } = {}) {
  cancelAnimationFrame(frame);
  const rows = [...byId("after").children];
  if (!glide || still.matches) shown = new Map();
  step(rows);
}

export function forgetMoves() {
  cancelAnimationFrame(frame);
  shown = new Map();
  byId("moves").replaceChildren();
}

function step(rows) {
  let moving = false;
  const origin = byId("moves").getBoundingClientRect();
  const height = rows.length ? rows[0].offsetHeight : 0;
  const lines = new Map();
  for (const [rank, item] of rows.filter((row) => !row.hidden).entries()) {
    const place = Number(item.dataset.place);
    const goal = item.offsetTop;
    const before = shown.get(place) ?? goal;
    const now = Math.abs(goal - before) < 1 ? goal : before + (goal - before) * 0.28;
    moving ||= now !== goal;
    shown.set(place, now);
    item.style.setProperty("transform", now === goal ? "none" : `translateY(${now - goal}px)`);
    lines.set(place, { rank, y: now + height / 2 });
  }
  draw(lines, origin);
  if (moving) frame = requestAnimationFrame(() => step(rows));
}

function draw(lines, { width }) {
  const svg = byId("moves");
  const top = svg.parentElement.offsetTop;
  const chosen = byId("after").querySelector(".hit.chosen")?.parentElement.dataset.place;
  const left = [...byId("before").children];
  const drawn = [...left.entries()].filter(([place]) => lines.has(place));
  const paths = drawn.map(([place, item]) => {
    const { rank, y } = lines.get(place);
    const path = document.createElementNS(SVG, "path");
    const start = item.offsetTop + item.offsetHeight / 2 - top;
    const end = y - top;
    path.setAttribute("d", `M4 ${start}C${width / 2} ${start} ${width / 2} ${end} ${width - 4} ${end}`);
    const kinds = [rank < place ? "up" : rank > place ? "down" : "same"];
    if (Math.abs(rank - place) >= FAR) kinds.push("far");
    if (String(place) === chosen) kinds.push("chosen");
    path.setAttribute("class", kinds.join(" "));
    return path;
  });
  svg.replaceChildren(...paths);
}
