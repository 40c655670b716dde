// Text is never markup: every element is made here, and its content is set as text.

export const byId = (id) => document.getElementById(id);

/**
 * Makes an element.
 *
 * @param {string} name
 * @param {object} properties Such as `className` and `textContent`; `aria` and `style` hold names with values.
 * @param {...Node} children
 */
export function element(name, { aria = {}, style = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, value);
  for (const [key, value] of Object.entries(style)) made.style.setProperty(key, value);
  made.append(...children);
  return made;
}

/** A number with a fixed count of decimals and a real minus sign, 0 without one; a dash for one that is missing. */
export function figure(number, decimals) {
  if (!Number.isFinite(number)) return "–";
  const shown = number.toFixed(decimals);
  return Number(shown) === 0 ? shown.replace("-", "") : shown.replace("-", "−");
}

/** A probability as a percentage. */
export const percent = (probability) =>
  Number.isFinite(probability) ? `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %` : "–";

export function signed(number, decimals) {
  return (Number(number.toFixed(decimals)) > 0 ? "+" : "") + figure(number, decimals);
}
