"""The ranking rule: from likelihoods and first-stage scores to the order and the scores of one query's final list.

The reranker, `qpeft tune`, training's dev evaluation, experiments and the demo all rank by `rank_hits`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse
from pyserini_qpeft.reranking.tail import BelowDepth, score_tail


@dataclass(frozen=True, slots=True)
class Ranking:
    """The final list of one query.

    Attributes:
        order: Place of each hit in the first stage's list, from 0; best first.
        scores: Final score of each hit, in the same order, never ascending. Scores of the rescored hits are numbers
            of single precision.
        first_stage_unusable: Whether fusion was asked for and several hits were ranked by the likelihood alone,
            because their first-stage scores say nothing.
    """

    order: list[int]
    scores: list[float]
    first_stage_unusable: bool = False


def rank_hits(
    likelihoods: Sequence[float],
    first_stage: Sequence[float],
    fusion: FusionConfig | None,
    *,
    depth: int | None = None,
    below_depth: BelowDepth = "keep",
) -> Ranking:
    """Rank the hits of one query.

    The first `depth` hits are sorted by their final score: the fused score, or without fusion the likelihood. Scores
    are rounded to single precision before they are sorted, because trec_eval reads them so: what it sees as a tie is
    a tie here. Equal scores keep the first stage's order. The other hits, the tail, follow in their order with scores
    below those of the rescored hits.

    First-stage scores say nothing if one of them is NaN or infinite, or if all are equal. Fusion then ranks by the
    likelihood alone; but at weight 0, which is the first stage alone, hits keep their order.

    Args:
        likelihoods: Mean log-likelihood of the query given each hit, in the first stage's order; at least for the
            first `depth` hits.
        first_stage: First-stage score of every hit, in the first stage's order.
        fusion: How the two scores become one; None is the likelihood alone.
        depth: How many of the first hits are rescored; None is all.
        below_depth: What becomes of the tail: `keep` or `drop`.

    Raises:
        QPeftError: A likelihood is NaN or infinite, or fused scores are too large for single precision.
        ValueError: There are fewer likelihoods than hits to rescore.
    """
    first = np.asarray(first_stage[:depth], dtype=np.float64)
    count = len(first)
    if len(likelihoods) < count:
        raise ValueError(f"{len(likelihoods)} likelihoods for {count} hits")
    head = np.asarray(likelihoods[:count], dtype=np.float32)
    unusable = False
    if fusion is not None:
        if _says_something(first):
            with np.errstate(over="ignore"):
                head = fuse(first.tolist(), head.tolist(), fusion).astype(np.float32)
        elif fusion.weight == 0:
            head = np.zeros(count, dtype=np.float32)
        else:
            unusable = count > 1
    _refuse_non_finite(head)
    order = np.argsort(-head, kind="stable")
    return _with_tail(order, head[order], first_stage[count:], below_depth, unusable=unusable)


def _with_tail(
    order: NDArray[np.int64],
    head: NDArray[np.float32],
    tail: Sequence[float],
    below_depth: BelowDepth,
    *,
    unusable: bool,
) -> Ranking:
    places, scores = order.tolist(), [float(score) for score in head]
    if below_depth == "keep":
        places += range(len(places), len(places) + len(tail))
        # Where nothing was rescored, the first stage's own scores are the list's.
        scores += score_tail(scores, len(tail)) if scores or not np.isfinite(tail).all() else map(float, tail)
    return Ranking(places, scores, unusable)


def _says_something(scores: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(scores).all()) and len(scores) > 0 and bool(scores.min() != scores.max())


def _refuse_non_finite(scores: NDArray[np.float32]) -> None:
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise QPeftError(f"the score of hit {bad[0] + 1} is {scores[bad[0]]} in single precision, so it has no rank")
