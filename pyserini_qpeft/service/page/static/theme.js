// Before the first paint: the theme that was chosen on this page, or else the system's.
"use strict";
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {} // storage is switched off
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
