"""Fusion: first-stage score and likelihood as one score, within the list of one query."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.checks import check_number
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.models.registry import fusion_weight

FusionMethod = Literal["zscore", "minmax", "linear", "rrf"]


@dataclass(frozen=True)
class FusionConfig:
    """How the two scores become one.

    Attributes:
        method: `zscore` and `minmax` normalise both scores over the query's list and add them; `linear` adds them
            as they are, so that the likelihood decides where first-stage scores lie close together (its best weight
            depends on the first stage's scale: choose it on dev queries); `rrf` is reciprocal rank fusion
            (Cormack, Clarke and Büttcher, SIGIR 2009).
        weight: Share of the likelihood, 0 (first stage alone) to 1 (likelihood alone), in every method;
            the first stage gets the rest. None is the weight that comes with the model; a reranker fills it in when
            it is built.
        rrf_k: The constant that `rrf` adds to each rank.

    Raises:
        QPeftError: A value is unknown or out of range.
    """

    method: FusionMethod = "zscore"
    weight: float | None = None
    rrf_k: int = 60

    def __post_init__(self) -> None:
        if self.method not in get_args(FusionMethod):
            known = ", ".join(get_args(FusionMethod))
            raise QPeftError(
                f"unknown fusion method {self.method!r}: choose one of {known}."
                f"{did_you_mean(self.method, get_args(FusionMethod))}"
            )
        check_number(self.weight, "fusion weight")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise QPeftError(f"fusion weight must be between 0 and 1, not {self.weight}")
        check_number(self.rrf_k, "rrf_k", optional=False)
        if not self.rrf_k >= 0:
            raise QPeftError(f"rrf_k must not be negative, but is {self.rrf_k}")

    def for_model(self, model: str | None) -> Self:
        """The same fusion with a weight: its own, or the one that comes with the model.

        Args:
            model: Name, hub id or folder of the model; None is the shipped model.
        """
        return self if self.weight is not None else replace(self, weight=fusion_weight(model))


def choose_fusion(fusion: FusionConfig | None, method: str | None, weight: float | None) -> FusionConfig | None:
    """The fusion with another method or weight.

    Args:
        fusion: The fusion that holds where nothing else is chosen; None is no fusion.
        method: The method, with an open weight; `none` is no fusion. None keeps the fusion.
        weight: Weight of the likelihood, 0 to 1; None keeps it.

    Raises:
        QPeftError: The method is unknown, the weight is out of range, or a weight is chosen without fusion.
    """
    if method is not None:
        fusion = None if method == "none" else FusionConfig(method)  # type: ignore[arg-type]  # it checks the method
    if weight is None:
        return fusion
    if fusion is None:
        raise QPeftError("a fusion weight has no effect without fusion: leave it out, or name a method of fusion.")
    return replace(fusion, weight=weight)


def fuse(first_stage: Sequence[float], likelihood: Sequence[float], config: FusionConfig) -> NDArray[np.float64]:
    """Fuse the scores of one query's hits: (1 - weight) * normalised first stage + weight * normalised likelihood.

    The result does not depend on the order of the hits: equal scores share a rank, and sums are exact.

    Args:
        first_stage: First-stage score of each hit; higher is better.
        likelihood: Mean log-likelihood of the query given each hit, in the same order; higher is better.
        config: Method and weight.

    Returns:
        float64 array of the same length. In `zscore` and `minmax`, a list of equal scores adds 0 to every hit.

    Raises:
        QPeftError: A score is NaN or infinite, or the weight is not set.
        ValueError: The lists differ in length.
    """
    if len(first_stage) != len(likelihood):
        raise ValueError(f"{len(first_stage)} first-stage scores but {len(likelihood)} likelihoods")
    if config.weight is None:
        raise QPeftError("cannot fuse: the fusion weight is not set. Give a weight from 0 to 1.")
    first = _normalised(_finite(first_stage, "first-stage score"), config)
    second = _normalised(_finite(likelihood, "likelihood"), config)
    return (1 - config.weight) * first + config.weight * second


def _finite(scores: Sequence[float], name: str) -> NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise QPeftError(f"cannot fuse: the {name} of hit {bad[0] + 1} is {array[bad[0]]}")
    return array


def _normalised(scores: NDArray[np.float64], config: FusionConfig) -> NDArray[np.float64]:
    if config.method == "linear":
        return scores
    if config.method == "rrf":
        return 1 / (config.rrf_k + _ranks(scores))
    return _zscore(scores) if config.method == "zscore" else _minmax(scores)


def _minmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if not scores.size or scores.max() == scores.min():
        return np.zeros_like(scores)
    return (scores - scores.min()) / (scores.max() - scores.min())


def _zscore(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    # z-scores do not change under scaling; from 0..1 the variance can neither underflow nor overflow.
    unit = _minmax(scores)
    if not unit.any():
        return unit
    centred = unit - math.fsum(unit) / unit.size
    return centred / math.sqrt(math.fsum(centred**2) / unit.size)


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ranks from 1, highest score first; equal scores share the best of their ranks."""
    return 1 + scores.size - np.searchsorted(np.sort(scores), scores, side="right")
