"""The likelihood that an unread hit needs to get one of the first k ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig

_LARGEST = 10.0
"""Limit of a required likelihood, in standard deviations: beyond it, it is practically certain or impossible."""


@dataclass(frozen=True, slots=True)
class Unread:
    """The unread hits of a query, seen from the hits that were read.

    Attributes:
        required: float64 `[unread, ranks]`: the likelihood that an unread hit needs to rank above the hit that has this
            rank now, as a number of standard deviations from the mean likelihood of the hits that were read. Ranks are
            1 to k.
        agreement: Correlation of likelihood and first-stage score over the hits that were read, -1 to 1; 0 if one of
            them is constant.
    """

    required: NDArray[np.float64]
    agreement: float


def look_ahead(
    likelihoods: Sequence[float], first_stage: Sequence[float], fusion: FusionConfig | None, k: int
) -> Unread:
    """The likelihoods that the unread hits of a query need.

    Both scores are normalised over the hits that were read, as `rank_hits` does at this depth.

    Args:
        likelihoods: Of the hits that were read, in the first stage's order; at least one.
        first_stage: First-stage score of every hit.
        fusion: How the two scores become one; None is the likelihood alone.
        k: How many of the first hits matter.

    Raises:
        QPeftError: See `refuse_rank_fusion`.
    """
    read = np.asarray(likelihoods, dtype=np.float64)
    first = np.asarray(first_stage, dtype=np.float64)
    count = len(read)
    mean, deviation = read.mean(), read.std() or 1.0
    # The deviation of scores that differ in their last bits can be 0.
    usable = bool(np.isfinite(first).all()) and first[:count].std() > 0
    first_normal, slope, shift = np.zeros(len(first)), 1.0, 0.0
    weight = 1.0
    if fusion is not None and usable:
        refuse_rank_fusion(fusion)
        weight = 1.0 if fusion.weight is None else fusion.weight
        first_normal, slope, shift = _normalised(first, read, fusion)
    fused = (1 - weight) * first_normal[:count] + weight * (slope * read + shift)
    limits = np.full(k, -np.inf)
    best = np.sort(fused)[::-1][:k]
    limits[: len(best)] = best
    missing = limits[None, :] - (1 - weight) * first_normal[count:, None]
    if weight > 0 and slope > 0:
        required = ((missing / weight - shift) / slope - mean) / deviation
    else:
        required = np.where(missing >= 0, np.inf, -np.inf)
    agreement = 0.0
    if usable and read.std() > 0:
        agreement = float(np.corrcoef(read, first[:count])[0, 1])
    return Unread(np.clip(required, -_LARGEST, _LARGEST), agreement)


def refuse_rank_fusion(fusion: FusionConfig | None) -> None:
    """Refuse the fusion `rrf`, which uses ranks: it gives no likelihood that a hit needs.

    Raises:
        QPeftError: The fusion is `rrf`.
    """
    if fusion is not None and fusion.method == "rrf":
        raise QPeftError(
            "adaptive depth cannot be used with rrf, which fuses ranks: choose the fusion zscore, minmax or linear."
        )


def _normalised(
    first: NDArray[np.float64], read: NDArray[np.float64], fusion: FusionConfig
) -> tuple[NDArray[np.float64], float, float]:
    """The first-stage scores as they are fused, and slope and shift of the likelihoods."""
    if fusion.method == "linear":
        return first, 1.0, 0.0
    seen = first[: len(read)]
    if fusion.method == "zscore":
        spread = read.std()
        slope = 1 / spread if spread > 0 else 0.0
        return (first - seen.mean()) / seen.std(), slope, -slope * float(read.mean())
    width = read.max() - read.min()
    slope = 1 / width if width > 0 else 0.0
    return (first - seen.min()) / (seen.max() - seen.min()), slope, -slope * float(read.min())
