// Keys: / and w from anywhere; arrows, Home and End in the lists; Escape closes the details.
import { byId } from "./elements.js";
import { button } from "./lists.js";

const WRITING = "input:not([type=radio]):not([type=range]), textarea, select";

/**
 * Listens to keys.
 *
 * @param {{close: () => void}} actions
 */
export function listenToKeys({ close }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return close();
    if (event.target.matches(WRITING)) return;
    const goal = { "/": byId("query"), w: byId("weight"), "?": byId("show-help") }[event.key];
    if (goal) {
      event.preventDefault();
      goal.focus();
      if (event.key === "?") goal.click();
      else goal.select?.();
    } else if (event.target.matches(".hit")) moveInLists(event);
  });
}

function moveInLists(event) {
  const item = event.target.parentElement;
  const list = item.parentElement;
  const goal = {
    ArrowDown: () => item.nextElementSibling?.firstElementChild,
    ArrowUp: () => item.previousElementSibling?.firstElementChild,
    Home: () => list.firstElementChild.firstElementChild,
    End: () => list.lastElementChild.firstElementChild,
    ArrowLeft: () => button("before", item.dataset.place),
    ArrowRight: () => button("after", item.dataset.place),
  }[event.key]?.();
  if (!goal) return;
  event.preventDefault();
  // One hit of each list is in the order of Tab: the one that had the focus last.
  for (const one of goal.closest("ol").querySelectorAll(".hit")) one.tabIndex = -1;
  goal.tabIndex = 0;
  goal.focus();
}
