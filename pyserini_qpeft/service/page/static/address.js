// The address holds the query and the settings, so that a link shows the same. They stay behind #: no server logs them.

/** @returns {Map<string, string>} What the address names. */
export const readAddress = () => new URLSearchParams(location.hash.slice(1));

/**
 * Writes settings into the address.
 *
 * @param {Record<string, string|number|null>} settings Those that are null are left out.
 */
export function writeAddress(settings) {
  const kept = Object.entries(settings).filter(([, value]) => value !== null && value !== "");
  history.replaceState(null, "", kept.length ? `#${new URLSearchParams(kept)}` : location.pathname);
}

/** @returns {number|null} The fusion weight that the address names. */
export function readWeight() {
  const named = Number(readAddress().get("weight") || NaN);
  return named >= 0 && named <= 1 ? named : null;
}
