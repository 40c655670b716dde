// The two lists: the hits of the first stage, and the same hits in their new order.
import { byId, element, figure, percent } from "./elements.js";

/**
 * Shows the hits of the first stage in both lists; `reorder` then sorts the second one.
 *
 * @param {object[]} hits In the order of the first stage.
 */
export function showHits(hits) {
  byId("before").replaceChildren(...hits.map((hit, place) => row(hit, place, "before")));
  byId("after").replaceChildren(...hits.map((hit, place) => row(hit, place, "after")));
  for (const id of ["before", "after"]) byId(id).querySelector(".hit")?.setAttribute("tabindex", "0");
}

/**
 * Puts the second list into a new order.
 *
 * @param {number[]} order The place of each hit in the first stage, best first.
 * @param {number[]} scores Their scores, in the same order.
 */
export function reorder(order, scores) {
  const list = byId("after");
  const focused = document.activeElement;
  const rows = new Map([...list.children].map((one) => [Number(one.dataset.place), one]));
  const kept = new Set(order); // the server may leave some out
  for (const [place, one] of rows) one.hidden = !kept.has(place);
  order.forEach((place, rank) => {
    const one = rows.get(place);
    if (list.children[rank] !== one) list.insertBefore(one, list.children[rank] ?? null);
    showMove(one, place - rank);
    one.querySelector(".rank").textContent = rank + 1;
    one.querySelector(".score").textContent = figure(scores[rank], 3);
  });
  if (list.contains(focused)) focused.focus({ preventScroll: true }); // moving an element takes its focus away
}

/**
 * Shows in the second list what the server has found out about each hit: its best passage, its probability of relevance,
 * and the stage of a cascade that scored it.
 *
 * @param {object[]} hits In the order of the first stage.
 */
export function showKnown(hits) {
  const calibrated = hits.some(({ probability }) => Number.isFinite(probability));
  byId("after-scores").textContent = calibrated ? "move, relevant, score" : "move, score";
  for (const one of byId("after").children) {
    const hit = hits[Number(one.dataset.place)];
    const { best_passage: best, probability, stage, stages } = hit;
    if (best) {
      const snippet = one.querySelector(".snippet");
      const { snippet: start } = heading({ ...hit, text: best.text });
      snippet.textContent = best.start ? `… ${best.text.trim().slice(0, 400)}` : start;
      snippet.title = "the window that answers the query best";
    }
    const figures = one.querySelector(".score").parentElement;
    const last = (stages ?? []).findLastIndex(({ likelihood }) => likelihood !== null) + 1;
    if (last) figures.prepend(element("span", { className: "stage", textContent: `stage ${last}`, title: stage }));
    if (Number.isFinite(probability)) one.querySelector(".score").before(chance(probability));
  }
}

const chance = (probability) =>
  element("span", { className: "chance", textContent: percent(probability), title: "probability of relevance" });

/** The button of a hit in one of the lists. */
export const button = (list, place) => byId(list).querySelector(`[data-place="${place}"] > .hit`);

/** Marks a hit in both lists. */
export function choose(place) {
  for (const one of document.querySelectorAll(".hit")) {
    const chosen = Number(one.parentElement.dataset.place) === place;
    one.classList.toggle("chosen", chosen);
    one.setAttribute("aria-pressed", chosen);
  }
}

function row(hit, place, list) {
  const { title, snippet } = heading(hit);
  const name = element("span", { className: "title", textContent: title, title: `${title} (${hit.docid})` });
  if (!title.startsWith(hit.docid)) name.append(" ", element("code", { className: "docid", textContent: hit.docid }));
  const figures = element("span", {});
  if (list === "after") figures.append(element("span", { className: "move" }));
  figures.append(element("span", { className: "score", textContent: list === "before" ? figure(hit.score, 2) : "" }));
  const hitButton = element(
    "button",
    { type: "button", className: "hit", tabIndex: -1, aria: { pressed: "false" } },
    element("span", { className: "rank", textContent: place + 1 }),
    name,
    figures,
    element("span", { className: "snippet", textContent: snippet }),
  );
  const item = element("li", {}, hitButton);
  item.dataset.place = place;
  return item;
}

/** A title for a hit, and the text that follows it. Indexes often keep both in one text, the title on its first line. */
export function heading({ title, text, docid }) {
  let body = text.trim();
  if (!title) {
    const [first, ...rest] = body.split("\n");
    if (rest.length && first.length <= 160) {
      title = first;
      body = rest.join("\n").trim();
    }
  } else if (body.startsWith(title)) {
    body = body.slice(title.length).trim();
  }
  return { title: title || docid, snippet: body.slice(0, 400) };
}

function showMove(item, up) {
  const shown = item.querySelector(".move");
  shown.className = `move ${up > 0 ? "up" : up < 0 ? "down" : ""}`;
  const hidden = up > 0 ? `up ${up}` : up < 0 ? `down ${-up}` : "same place";
  shown.replaceChildren(
    element("span", { aria: { hidden: "true" }, textContent: up > 0 ? `▲ ${up}` : up < 0 ? `▼ ${-up}` : "=" }),
    element("span", { className: "hidden", textContent: hidden }),
  );
}
