// Why a passage got its score: the tokens of the query as a heat map, and the passage with its hints marked.
import { byId, element, figure, percent, signed } from "./elements.js";
import { heading } from "./lists.js";

const UNLIKELY = -10; // natural log-probability at which the heat map is empty

/** Shows what is known before the server explains the score. */
export function showHit(hit, rank, fused) {
  const { likelihood, probability, stages } = hit;
  const { title } = heading(hit);
  byId("details").hidden = false;
  byId("details-title").textContent = title;
  byId("details-figures").replaceChildren(
    pair("Place", `${hit.place + 1} → ${rank === null ? "left out" : rank + 1}`),
    pair("First stage", figure(hit.score, 2)),
    pair("Log-likelihood", likelihood === null ? "not scored" : figure(likelihood, 3)),
    ...(Number.isFinite(probability) ? [pair("Relevant", percent(probability))] : []),
    pair("Fused score", figure(fused, 3)),
    ...(stages ?? []).map((stage) => pair(`After ${stage.model}`, placed(stage))),
  );
}

const placed = ({ rank, likelihood }) => `place ${rank}, ${likelihood === null ? "not scored" : figure(likelihood, 3)}`;

/** Shows that the explanation is on its way. */
export function showWaiting(hit) {
  byId("tokens-note").textContent = "Asking the model …";
  byId("tokens").replaceChildren();
  byId("passage").classList.add("waiting");
  byId("passage").replaceChildren(hit.text);
  byId("hints-note").replaceChildren();
  byId("cut-note").hidden = true;
  byId("windows").hidden = true;
}

/**
 * Shows an explanation.
 *
 * @param {{tokens: object[], hints: object[], pieces: object[], tokens_cut: number, hinted: boolean}} explained
 */
export function showExplanation(explained) {
  byId("passage").classList.remove("waiting");
  showTokens(explained);
  showPassage(explained);
  showWindows(explained);
}

function pair(name, value) {
  return element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }));
}

function showTokens({ tokens, hinted, windows }) {
  const given = windows.length > 1 ? " All given the best window." : "";
  byId("tokens-note").textContent = (hinted
    ? "Natural log-probability with hints and without, and what the hints add."
    : "Natural log-probability. This model has no adapter, so it gets no hints.") + given;
  const labels = element("li", { className: "token labels", aria: { hidden: "true" } }, element("span", {}));
  const names = hinted ? ["with", "without", "gain"] : ["log p"];
  for (const name of names) labels.append(element("span", { textContent: name, className: name }));
  byId("tokens").replaceChildren(labels, ...tokens.map((token) => tokenColumn(token, hinted)));
}

function tokenColumn({ token, logprob, logprob_without_hints }, hinted) {
  const gain = logprob - logprob_without_hints;
  const spoken = hinted
    ? `${token.trim()}: ${figure(logprob, 2)} with hints, ${figure(logprob_without_hints, 2)} without`
    : `${token.trim()}: ${figure(logprob, 2)}`;
  const column = element(
    "li",
    { className: "token" },
    element("span", { className: "hidden", textContent: spoken }),
    element("span", { className: "word", textContent: token.trim() || "␣", aria: { hidden: "true" } }),
    heat(logprob),
  );
  if (hinted) {
    const kind = gain > 0.05 ? "up" : gain < -0.05 ? "down" : "";
    const shown = element("span", { className: `gain ${kind}`, textContent: signed(gain, 1), aria: { hidden: "true" } });
    column.append(heat(logprob_without_hints), shown);
  }
  return column;
}

function heat(logprob) {
  const share = Math.max(0, 1 - logprob / UNLIKELY);
  const probability = Math.exp(logprob);
  return element("span", {
    className: `heat ${share > 0.55 ? "strong" : ""}`,
    textContent: figure(logprob, 1),
    title: `probability ${probability < 0.001 ? probability.toExponential(1) : probability.toFixed(3)}`,
    style: { "--share": `${Math.round(share * 100)}%` },
    aria: { hidden: "true" },
  });
}

function showPassage({ pieces, hints, hinted, tokens_cut }) {
  byId("passage").replaceChildren(
    ...pieces.map(({ text, similarity, read, best }) => {
      if (!read) return element("span", { className: "unread", textContent: text });
      const shown = similarity === null ? text : mark("mark", text, similarity);
      return best ? element("span", { className: "best" }, shown) : shown;
    }),
  );
  const note = byId("hints-note");
  note.replaceChildren();
  if (hints.length) note.append("Hints, nearest to the query first: ");
  else if (hinted) note.append("The hints of this adapter are mixed from the whole passage, so no word is marked.");
  // The same word with and without a blank before it is two tokens; it is listed once, by the nearer one.
  const words = new Map(hints.toReversed().map(({ token, similarity }) => [token.trim() || token, similarity]));
  for (const [word, similarity] of [...words].toReversed()) note.append(mark("span", word, similarity, "chip"), " ");
  const cut = byId("cut-note");
  cut.hidden = !tokens_cut;
  cut.textContent = `The model did not read the last ${tokens_cut} tokens (grey).`;
}

/** The windows of a long document, with their likelihoods; the best one is marked in the passage. */
function showWindows({ windows }) {
  byId("windows").hidden = windows.length < 2;
  byId("windows-note").textContent =
    `This document was read in ${windows.length} windows. Their log-likelihoods, in order; the best is marked in the passage:`;
  const likelihoods = windows.map(({ likelihood, best }) =>
    element("li", { className: best ? "best" : "", textContent: figure(likelihood, 2) }));
  byId("window-list").replaceChildren(...likelihoods);
  document.querySelector("#passage .best")?.scrollIntoView?.({ block: "nearest" });
}

function mark(name, text, similarity, className = "") {
  const share = `${Math.round(35 + 65 * Math.max(0, similarity))}%`;
  const title = `cosine ${similarity.toFixed(2)} with the nearest token of the query`;
  return element(name, { textContent: text, title, className, style: { "--share": share } });
}
