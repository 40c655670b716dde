"""Do probabilities of relevance hold? Of the hits with probability p, the share p should be relevant."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyserini_qpeft.data.records import Qrels, RankedList

BINS = 10
"""Bins of equal width, as in Guo et al., "On calibration of modern neural networks" (ICML 2017)."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The hits whose probabilities lie in one interval.

    Attributes:
        hits: Their number.
        probability: Mean of their probabilities.
        relevant: Share of them that is relevant.
        low: Lower end of the 95 % Wilson interval of that share.
        high: Upper end.
    """

    hits: int
    probability: float
    relevant: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities of relevance agree with qrels.

    Attributes:
        hits: Hits of judged queries that have a probability.
        relevant: Share of them that is relevant; hits without a grade count as not relevant.
        mean: Mean of their probabilities.
        brier: Brier score: mean squared difference of probability and relevance (0 or 1). Lower is better.
        skill: 1 - Brier score / Brier score of the share of relevant hits as a constant probability. 1 is perfect, 0 is
            no better than the constant.
        error: Expected calibration error: mean difference of probability and share of relevant hits over the bins,
            weighted by their hits.
        bins: The bins that have hits, from low to high.
    """

    hits: int
    relevant: float
    mean: float
    brier: float
    skill: float
    error: float
    bins: tuple[Bin, ...]


def judge_probabilities(lists: Iterable[RankedList], qrels: Qrels) -> Reliability | None:
    """Compare the probabilities of reranked lists with qrels.

    Args:
        lists: Lists whose hits may have probabilities.
        qrels: A grade above 0 is relevant; queries that are not in the qrels are ignored.

    Returns:
        None if no hit of a judged query has a probability.
    """
    pairs = [
        (hit.probability, qrels[one.qid].get(hit.docid, 0) > 0)
        for one in lists
        if one.qid in qrels
        for hit in one.hits
        if hit.probability is not None
    ]
    return measure_reliability(*zip(*pairs, strict=True)) if pairs else None


def measure_reliability(probabilities: ArrayLike, relevant: ArrayLike) -> Reliability:
    """Compare probabilities with relevance.

    Args:
        probabilities: Of each hit, 0 to 1, `[hits]`, at least one.
        relevant: Whether each is relevant, `[hits]`.
    """
    given, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(relevant, dtype=np.float64)
    places = np.minimum((given * BINS).astype(int), BINS - 1)
    bins = tuple(_bin(given[places == place], truth[places == place]) for place in np.unique(places))
    brier = float(((given - truth) ** 2).mean())
    constant = float(truth.var())
    return Reliability(
        hits=len(given),
        relevant=float(truth.mean()),
        mean=float(given.mean()),
        brier=brier,
        skill=1 - brier / constant if constant else float("nan"),
        error=sum(one.hits * abs(one.probability - one.relevant) for one in bins) / len(given),
        bins=bins,
    )


def _bin(given: NDArray[np.float64], truth: NDArray[np.float64]) -> Bin:
    from scipy.stats import binomtest

    interval = binomtest(int(truth.sum()), len(truth)).proportion_ci(method="wilson")
    return Bin(len(given), float(given.mean()), float(truth.mean()), float(interval.low), float(interval.high))
