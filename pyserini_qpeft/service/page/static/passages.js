// Pasted passages: one per line, or separated by empty lines.

const SCORED = /^\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\t(.*)$/s;

/**
 * Reads the passages that were pasted.
 *
 * @param {string} pasted
 * @returns {{docid: string, title: string, text: string, score: number|null}[]} The score is null unless every passage
 *     begins with a number and a tab.
 */
export function readPassages(pasted) {
  const whole = pasted.replaceAll("\r\n", "\n").trim();
  const pieces = whole.split(/\n\s*\n/.test(whole) ? /\n(?:[^\S\n]*\n)+/ : "\n");
  const texts = pieces.filter((text) => text.trim());
  const scored = texts.map((text) => SCORED.exec(text));
  const allScored = scored.every(Boolean);
  return texts.map((text, place) => ({
    docid: `Passage ${place + 1}`,
    title: "",
    text: (allScored ? scored[place][2] : text).trim(),
    score: allScored ? Number(scored[place][1]) : null,
  }));
}
