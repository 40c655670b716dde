// The ranking rule of reranking/ranking.py and reranking/fusion.py, so that the slider needs no request. A test compares
// both: the order and the scores are the same to the last bit.

/**
 * Ranks the hits of one query.
 *
 * @param {(number|null)[]} likelihoods Mean log-likelihood of the query given each hit, in the order of the first stage.
 *     The hits from the first null on were not scored: they stay below the others, in their order.
 * @param {(number|null)[]} firstStage First-stage score of each hit; null for a missing one.
 * @param {{method: string, weight: number, rrf_k: number}|null} fusion null ranks by the likelihood alone.
 * @returns {{order: number[], scores: number[], firstStageUnusable: boolean}} The place of each hit in the first stage,
 *     from 0, best first, and their scores in the same order.
 */
export function rankHits(likelihoods, firstStage, fusion) {
  const unscored = likelihoods.indexOf(null);
  const depth = unscored < 0 ? likelihoods.length : unscored;
  const first = firstStage.slice(0, depth);
  let head = likelihoods.slice(0, depth).map(Math.fround);
  let firstStageUnusable = false;
  if (fusion) {
    if (saysSomething(first)) head = fuse(first, head, fusion).map(Math.fround);
    else if (fusion.weight === 0) head = head.map(() => 0);
    else firstStageUnusable = head.length > 1;
  }
  const order = head.map((_, place) => place).sort((one, other) => head[other] - head[one]); // the sort is stable
  const scores = order.map((place) => head[place]);
  const tail = firstStage.slice(depth);
  for (let place = depth; place < likelihoods.length; place++) order.push(place);
  scores.push(...(depth || !tail.every(Number.isFinite) ? tailScores(scores, tail.length) : tail));
  return { order, scores, firstStageUnusable };
}

/** Scores that keep the hits that were not scored below the others; see reranking/tail.py. */
function tailScores(head, count) {
  const lowest = head.length ? Math.min(...head) : 0;
  const step = Math.max(1, Math.abs(lowest) * 2 ** -20);
  return Array.from({ length: count }, (_, place) => lowest - (place + 1) * step);
}

/** Whether fusion can use first-stage scores: they are finite and not all equal. */
export function saysSomething(scores) {
  return scores.length > 0 && scores.every(Number.isFinite) && scores.some((score) => score !== scores[0]);
}

function fuse(firstStage, likelihoods, fusion) {
  const first = normalised(firstStage, fusion);
  const second = normalised(likelihoods, fusion);
  return first.map((score, place) => (1 - fusion.weight) * score + fusion.weight * second[place]);
}

function normalised(scores, { method, rrf_k }) {
  switch (method) {
    case "linear":
      return scores;
    case "rrf":
      return scores.map((score) => 1 / (rrf_k + 1 + scores.filter((other) => other > score).length));
    case "minmax":
      return minmax(scores);
    case "zscore":
      return zscore(scores);
    default:
      throw new Error(`unknown fusion method ${method}`);
  }
}

function minmax(scores) {
  const low = Math.min(...scores);
  const high = Math.max(...scores);
  return scores.map((score) => (high === low ? 0 : (score - low) / (high - low)));
}

function zscore(scores) {
  const unit = minmax(scores);
  if (!unit.some(Boolean)) return unit;
  const mean = exactSum(unit) / unit.length;
  const centred = unit.map((score) => score - mean);
  const deviation = Math.sqrt(exactSum(centred.map((score) => score * score)) / unit.length);
  return centred.map((score) => score / deviation);
}

/** The sum of numbers, rounded once, as math.fsum computes it (Shewchuk's algorithm). */
function exactSum(numbers) {
  const partials = []; // they do not overlap, and grow
  for (const number of numbers) {
    let sum = number;
    let kept = 0;
    for (let partial of partials) {
      if (Math.abs(sum) < Math.abs(partial)) [sum, partial] = [partial, sum];
      const high = sum + partial;
      const low = partial - (high - sum);
      if (low) partials[kept++] = low;
      sum = high;
    }
    partials.length = kept;
    partials.push(sum);
  }
  return rounded(partials);
}

function rounded(partials) {
  let place = partials.length;
  let high = place ? partials[--place] : 0;
  let low = 0;
  while (place) {
    const above = high;
    const next = partials[--place];
    high = above + next;
    low = next - (high - above);
    if (low) break;
  }
  // The sum lies halfway between two numbers as far as `low` says: the partials below it decide.
  if (place && low < 0 === partials[place - 1] < 0) {
    const twice = low * 2;
    const above = high + twice;
    if (twice === above - high) high = above;
  }
  return high;
}
