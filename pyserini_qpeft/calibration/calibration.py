"""From the likelihood of a hit to the probability that it is relevant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyserini_qpeft.errors import QPeftError


@dataclass(frozen=True)
class Calibration:
    """A logistic curve: the probability that a hit is relevant is 1 / (1 + exp(-(intercept + slope * gain))).

    The *gain* of a hit is its likelihood minus the *prior*, the likelihood of the same query without a passage. It says
    how much the passage helps to predict the query. Likelihoods alone cannot be compared between queries, because a
    query of rare words has a low likelihood after any passage.

    The curve rises strictly, so probabilities order the hits of a query as likelihoods do. It belongs to one model with
    one adapter (Platt 1999, "Probabilistic outputs for support vector machines").

    Attributes:
        slope: Change of the log-odds for one unit of gain, in nats per query token; above 0.
        intercept: Log-odds of relevance of a passage that does not help.
        queries: Number of development queries on which the curve was fitted.
        pairs: Number of their hits.
        relevant: Number of those that are relevant.

    Raises:
        QPeftError: The slope is not above 0, or a value is not finite.
    """

    slope: float
    intercept: float
    queries: int = field(default=0, metadata={"changes_result": False})
    pairs: int = field(default=0, metadata={"changes_result": False})
    relevant: int = field(default=0, metadata={"changes_result": False})

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise QPeftError(f"slope and intercept must be finite, and are {self.slope} and {self.intercept}")
        if self.slope <= 0:
            raise QPeftError(f"slope must be above 0, and is {self.slope}: a higher likelihood means more relevant")

    def probabilities(self, likelihoods: ArrayLike, prior: ArrayLike) -> NDArray[np.float64]:
        """The probability of relevance of each hit.

        Args:
            likelihoods: Mean natural-log probability of the query's tokens given each hit, `[hits]`.
            prior: The same without a passage: one number, or one for each hit.

        Returns:
            float64 `[hits]`, from 0 to 1.
        """
        gains = np.asarray(likelihoods, dtype=np.float64) - np.asarray(prior, dtype=np.float64)
        odds = self.intercept + self.slope * gains
        # exp of a large positive number would overflow, so each half of the curve has its own form.
        small = np.exp(-np.abs(odds))
        return np.asarray(np.where(odds >= 0, 1 / (1 + small), small / (1 + small)))

    def probability(self, likelihood: float, prior: float) -> float:
        """The probability of relevance of one hit."""
        return float(self.probabilities([likelihood], prior)[0])


def fit_calibration(queries: Sequence[tuple[ArrayLike, ArrayLike]]) -> Calibration:
    """Fit the curve to judged hits by maximum likelihood.

    As in Platt's method, the targets are (relevant + 1) / (relevant + 2) for relevant hits and 1 / (others + 2) for the
    others, so that a sample which the likelihood separates perfectly does not give an infinite slope.

    Args:
        queries: For each development query, the gains of its hits (likelihood minus prior) and whether each hit is
            relevant, both `[hits]`.

    Raises:
        QPeftError: There are no relevant hits or no others, or relevant hits have no higher gains.
    """
    from scipy.optimize import minimize

    gains = np.concatenate([np.asarray(one, dtype=np.float64) for one, _ in queries] or [np.zeros(0)])
    relevant = np.concatenate([np.asarray(one, dtype=bool) for _, one in queries] or [np.zeros(0, dtype=bool)])
    positives, negatives = int(relevant.sum()), int((~relevant).sum())
    if not positives or not negatives:
        raise QPeftError(
            f"a calibration needs relevant hits and others, and the development queries have {positives} and "
            f"{negatives}: take more queries, or rerank deeper"
        )
    targets = np.where(relevant, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    centre, scale = gains.mean(), gains.std() or 1.0
    unit = (gains - centre) / scale

    def loss(curve: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = curve[0] + curve[1] * unit
        error = 1 / (1 + np.exp(-np.clip(odds, -500, 500))) - targets
        return float((np.logaddexp(0, odds) - targets * odds).mean()), np.array([error.mean(), (error * unit).mean()])

    start = np.array([math.log(positives / negatives), 0.0])
    intercept, slope = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    if not slope > 0:
        raise QPeftError(
            "the likelihoods of relevant hits are not higher than those of the others: there is nothing to calibrate"
        )
    return Calibration(
        slope=float(slope / scale),
        intercept=float(intercept - slope * centre / scale),
        queries=len(queries),
        pairs=len(gains),
        relevant=positives,
    )
