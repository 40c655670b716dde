// The button for the theme: the system's, light, dark.
import { byId } from "./elements.js";

const THEMES = ["system", "light", "dark"];

const current = () => document.documentElement.dataset.theme ?? "system";

export function showTheme() {
  byId("theme").textContent = `Theme: ${current()}`;
}

export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
  } catch {} // storage is switched off: the choice holds until the page is left
  showTheme();
}
