// The form: what is asked, and of which model and index.
import { readAddress } from "./address.js";
import { byId, element } from "./elements.js";

const DEPTHS = [10, 20, 50, 100, 200, 500, 1000];

/** The settings of the form as they are now. */
export function settings() {
  return {
    source: document.querySelector("[name=source]:checked").value,
    query: byId("query").value.trim(),
    texts: byId("texts").value,
    index: byId("index").value,
    k: Number(byId("k").value),
    model: byId("model").value,
  };
}

/**
 * Fills the form with what the server has, and with what the address names.
 *
 * @param {{models: object[], indexes: string[], max_hits: number}} about
 */
export function fillForm({ models, indexes, max_hits }) {
  const address = readAddress();
  fill(byId("model"), models.map(({ name }) => name), address.get("model"));
  fill(byId("index"), indexes, address.get("index"));
  const depths = DEPTHS.filter((depth) => depth <= max_hits);
  fill(byId("k"), depths.length ? depths : [max_hits], address.get("k") ?? "20");
  const source = indexes.length && address.get("source") !== "texts" ? "index" : "texts";
  document.querySelector(`[name=source][value=${source}]`).checked = true;
  document.querySelector("[name=source][value=index]").disabled = !indexes.length;
  byId("query").value = address.get("q") ?? "";
  showSource();
}

/** Shows the fields of the source that is chosen. */
export function showSource() {
  const pasted = settings().source === "texts";
  document.querySelector(".texts").hidden = !pasted;
  for (const choice of document.querySelectorAll(".of-index")) choice.hidden = pasted;
}

function fill(select, values, chosen) {
  select.replaceChildren(...values.map((value) => element("option", { value, textContent: value })));
  if (values.some((value) => String(value) === chosen)) select.value = chosen;
}
