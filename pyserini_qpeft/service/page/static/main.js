// The page: asks the server, keeps what is shown, and connects the parts.
import { readWeight, writeAddress } from "./address.js";
import * as api from "./api.js";
import * as details from "./details.js";
import { byId, element } from "./elements.js";
import * as example from "./example.js";
import { rankHits, saysSomething } from "./fusion.js";
import { listenToKeys } from "./keyboard.js";
import * as lists from "./lists.js";
import { drawMoves, forgetMoves } from "./moves.js";
import { readPassages } from "./passages.js";
import { fillForm, settings, showSource } from "./settings.js";
import { count, say, sayWhile, showError, showRunning, times } from "./status.js";
import { nextTheme, showTheme } from "./theme-button.js";

const SHOWN_EXAMPLES = 6;
const WIDE = matchMedia("(min-width: 70.01rem)");

let about; // what the server has
let asked = null; // the settings that the lists were asked with
let hits = []; // in the order of the first stage
let served = []; // the hits in the order of the server
let ranking = null; // of these hits, with the weight of the slider
let chosen = null; // place in the first stage of the hit whose details are shown
let explanations = new Map(); // of these hits, by place
let asking = new AbortController();
let explaining = new AbortController();
let namedWeight = readWeight(); // of the address that the page was opened with; for the first ranking

async function start() {
  showTheme();
  listen();
  about = await api.about();
  byId("versions").textContent = `pyserini-qpeft ${about.version}`;
  fillForm(about);
  showExamples();
  if (settings().query && settings().source === "index") await ask();
  else byId("query").focus();
}

/** Searches if an index is asked, shows the hits, and then scores them. */
async function ask() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  asked = settings();
  if (!WIDE.matches) document.activeElement?.blur(); // the keyboard of a phone would cover the lists
  showError("");
  closeDetails();
  showRunning(true);
  try {
    let searched = null;
    if (asked.source === "index") {
      sayWhile("Searching");
      searched = await api.search({ index: asked.index, query: asked.query, k: asked.k }, signal);
    }
    showFirstStage(searched ? searched.hits : readPassages(asked.texts));
    if (!hits.length) return say(searched ? "The index has no passage for this query." : "There are no passages.");
    sayWhile(`Scoring ${count(hits.length, "passage")}`);
    const texts = hits.map(({ text }) => text);
    const scores = hits.map(({ score }) => score);
    const scored = await api.score({ model: asked.model, query: asked.query, texts, scores }, signal);
    showScored(scored.hits);
    say(times(hits, searched, scored));
  } catch (error) {
    if (error.name === "AbortError") return;
    say("");
    showError(error.message);
  } finally {
    if (signal === asking.signal) showRunning(false);
  }
}

function stop() {
  asking.abort();
  showRunning(false);
  say("Stopped.");
}

function showFirstStage(found) {
  hits = found.map((hit, place) => ({ ...hit, place, likelihood: null }));
  served = [];
  ranking = null;
  explanations = new Map();
  byId("welcome").hidden = true;
  byId("outcome").hidden = false;
  byId("before-name").textContent = asked.source === "index" ? `BM25 · ${asked.index}` : "as pasted";
  byId("after-name").textContent = asked.model;
  byId("lists").classList.add("waiting");
  forgetMoves();
  lists.showHits(hits);
  showFusion();
}

/**
 * Shows the new order.
 *
 * @param {{place: number, score: number, likelihood: number|null}[]} scored The hits as the server ranks them.
 */
function showScored(scored) {
  served = scored;
  for (const { place, score, ...known } of scored) Object.assign(hits[place], known);
  byId("lists").classList.remove("waiting");
  lists.showKnown(hits);
  rank({ glide: false });
  if (WIDE.matches && ranking.order.length) choose(ranking.order[0]);
}

/** The slider, and why it is off: the first stage gave no scores, or the order is the server's. */
function showFusion() {
  const { fusion, stages } = modelOf(asked.model);
  const usable = fusion && saysSomething(hits.map(({ score }) => score));
  document.querySelector(".fusion").classList.toggle("fixed", !fusion);
  byId("weight").disabled = !usable;
  setWeight(namedWeight ?? fusion?.weight ?? 1);
  namedWeight = null;
  keepInAddress();
  const note = byId("fusion-note");
  note.hidden = usable || !hits.length;
  note.textContent = fusion ? NO_SCORES : stages.length ? fixedBy(stages) : DROPS;
}

const NO_SCORES =
  "These passages have no first-stage scores that differ, so the language model alone ranks them. " +
  "To mix both, put a number and a tab before each passage.";
const DROPS = "This server leaves out some passages, so the order is its own.";
const fixedBy = (stages) =>
  `A cascade: ${stages.map((name, place) => `${place + 1} ${name}`).join(" → ")}. ` +
  "Each stage scores the first passages of the stage before, and mixes both scores itself.";

function setWeight(weight) {
  byId("weight").value = weight;
  showWeight();
}

function showWeight() {
  const weight = Number(byId("weight").value);
  byId("weight-value").textContent = weight.toFixed(2);
  const share = Math.round(100 * weight);
  byId("weight").setAttribute("aria-valuetext", `language model ${share} %, first stage ${100 - share} %`);
  const own = modelOf(asked.model).fusion?.weight ?? 1;
  const reset = byId("weight-reset");
  reset.disabled = byId("weight").disabled || weight === own;
  reset.textContent = weight === own ? "the weight of this model" : `back to this model’s ${own.toFixed(2)}`;
}

function keepInAddress() {
  const { source, query, index, k, model } = asked;
  const weight = Number(byId("weight").value);
  const named = source === "texts" ? { source } : { q: query, index, k };
  writeAddress({ ...named, model, weight: weight === (modelOf(model).fusion?.weight ?? 1) ? null : weight });
}

const modelOf = (name) => about.models.find((model) => model.name === name);

/** Ranks the hits with the weight of the slider; or as the server does, if it is off for this model. */
function rank({ glide }) {
  const { fusion } = modelOf(asked.model);
  const weighted = { ...fusion, weight: Number(byId("weight").value) };
  ranking = fusion
    ? rankHits(hits.map(({ likelihood }) => likelihood), hits.map(({ score }) => score), weighted)
    : { order: served.map(({ place }) => place), scores: served.map(({ score }) => score) };
  lists.reorder(ranking.order, ranking.scores);
  drawMoves({ glide });
  if (chosen !== null) showFigures();
}

function showFigures() {
  const place = ranking.order.indexOf(chosen);
  details.showHit(hits[chosen], place < 0 ? null : place, ranking.scores[place]);
}

/** Shows the details of a hit. */
async function choose(place) {
  if (!ranking) return;
  chosen = place;
  lists.choose(place);
  byId("lists").classList.add("choosing");
  document.querySelector(".view").classList.add("with-details");
  document.body.classList.add("sheet");
  showFigures();
  drawMoves();
  explaining.abort();
  explaining = new AbortController();
  const { signal } = explaining;
  try {
    if (!explanations.has(place)) {
      details.showWaiting(hits[place]);
      const body = { model: hits[place].stage ?? asked.model, query: asked.query, text: hits[place].text };
      explanations.set(place, await api.explain(body, signal));
    }
    if (!signal.aborted) details.showExplanation(explanations.get(place));
  } catch (error) {
    if (error.name !== "AbortError") showError(error.message);
  }
}

function closeDetails() {
  if (chosen === null) return;
  const place = chosen;
  chosen = null;
  explaining.abort();
  byId("details").hidden = true;
  byId("lists").classList.remove("choosing");
  document.querySelector(".view").classList.remove("with-details");
  document.body.classList.remove("sheet");
  if (byId("details").contains(document.activeElement)) lists.button("after", place)?.focus();
  lists.choose(null);
  if (ranking) drawMoves();
}

/** Asks the next example query of the server; without any, scores the page's own example texts. */
function tryExample() {
  const { source, query } = settings();
  if (source === "index" && about.examples.length) {
    const next = (about.examples.indexOf(query) + 1) % about.examples.length;
    return askFor(about.examples[next]);
  }
  document.querySelector("[name=source][value=texts]").checked = true;
  showSource();
  byId("texts").value = example.TEXTS;
  return askFor(example.QUERY);
}

function askFor(query) {
  byId("query").value = query;
  return ask();
}

function showExamples() {
  byId("examples").hidden = !about.examples.length;
  const buttons = about.examples.slice(0, SHOWN_EXAMPLES).map((query) => {
    const button = element("button", { type: "button", textContent: query });
    button.addEventListener("click", () => askFor(query));
    return button;
  });
  byId("examples").querySelector("div").replaceChildren(...buttons);
}

function listen() {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  byId("stop").addEventListener("click", stop);
  for (const radio of document.querySelectorAll("[name=source]")) radio.addEventListener("change", showSource);
  byId("example").addEventListener("click", tryExample);
  byId("weight").addEventListener("input", () => {
    showWeight();
    if (ranking) rank({ glide: true });
  });
  byId("weight").addEventListener("change", keepInAddress);
  byId("weight-reset").addEventListener("click", () => {
    setWeight(modelOf(asked.model).fusion.weight);
    keepInAddress();
    if (ranking) rank({ glide: true });
  });
  byId("lists").addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) choose(Number(item.dataset.place));
  });
  for (const radio of document.querySelectorAll("[name=shown]"))
    radio.addEventListener("change", () => (byId("lists").dataset.shown = radio.value));
  byId("details-close").addEventListener("click", closeDetails);
  byId("theme").addEventListener("click", nextTheme);
  byId("show-help").addEventListener("click", () => byId("help").showModal());
  new ResizeObserver(() => ranking && drawMoves()).observe(byId("lists"));
  listenToKeys({ close: closeDetails });
}

start().catch((error) => showError(error.message));
