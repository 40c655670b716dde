"""The rule that decides after each block whether the rest of a query's hits is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.adaptive.unread import Unread, look_ahead
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig


@dataclass(frozen=True)
class StoppingRule:
    """Reading stops when the expected change of the first k hits is at most `threshold`.

    The *change* is the share of the first k hits that other hits replace, where rank r counts 1 / log2(r + 1) as in
    DCG. The probability that an unread hit has the likelihood that it needs for a rank (`look_ahead`) is a logistic
    function of that likelihood, of the number of hits that were read, and of how well the two scores agree. The
    expected change is the sum over unread hits and ranks. `learning.learn_rule` fits the function on development
    queries, and chooses the threshold by conformal risk control.

    Attributes:
        intercept: Constant of the logistic function.
        required: Factor of the required likelihood, in standard deviations; below 0.
        read: Factor of the natural logarithm of the number of hits that were read.
        agreement: Factor of the correlation of likelihood and first-stage score.
        threshold: The largest expected change at which reading stops.
        k: How many of the first hits matter.
        block: Hits that are read between two decisions. The first block has k hits if that is more.
        loss: The mean change that the threshold was chosen for.
        queries: Number of development queries on which the rule was learnt.

    Raises:
        QPeftError: A value is out of range.
    """

    intercept: float
    required: float
    read: float
    agreement: float
    threshold: float
    k: int = 10
    block: int = 5
    loss: float = field(default=0.0, metadata={"changes_result": False})
    queries: int = field(default=0, metadata={"changes_result": False})

    def __post_init__(self) -> None:
        if self.k < 1 or self.block < 1:
            raise QPeftError(f"k and block must be 1 or more, and are {self.k} and {self.block}")
        if not np.isfinite([self.intercept, self.required, self.read, self.agreement, self.threshold]).all():
            raise QPeftError("the numbers of a stopping rule must be finite")
        if self.required >= 0:
            raise QPeftError(f"required must be below 0, and is {self.required}: a higher likelihood is less probable")

    def expected_change(
        self, likelihoods: Sequence[float], first_stage: Sequence[float], fusion: FusionConfig | None
    ) -> float:
        """The expected change of the first k hits if all unread hits were read, 0 or more.

        Args:
            likelihoods: Of the hits that were read, in the first stage's order; at least one.
            first_stage: First-stage score of every hit.
            fusion: How the two scores become one; None is the likelihood alone.
        """
        if len(likelihoods) >= len(first_stage):
            return 0.0
        unread = look_ahead(likelihoods, first_stage, fusion, self.k)
        odds = features(unread, len(likelihoods)) @ np.array([self.intercept, self.required, self.read, self.agreement])
        probabilities = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
        gains = discounts(self.k) - np.append(discounts(self.k)[1:], 0.0)
        return float((probabilities @ gains).sum() / discounts(self.k).sum())

    def next_stop(self, read: int, hits: int) -> int:
        """How many hits are read when the next decision is made.

        Args:
            read: How many have been read.
            hits: How many there are.
        """
        return min(hits, read + self.block if read else max(self.k, self.block))

    def stops(self, likelihoods: Sequence[float], first_stage: Sequence[float], fusion: FusionConfig | None) -> bool:
        """Whether reading stops here; the arguments are those of `expected_change`."""
        if len(likelihoods) >= len(first_stage):
            return True
        return self.expected_change(likelihoods, first_stage, fusion) <= self.threshold

    def read_depth(
        self, likelihoods: Sequence[float], first_stage: Sequence[float], fusion: FusionConfig | None
    ) -> int:
        """How many hits `AdaptiveReranker` would read of a query whose likelihoods are all known.

        Args:
            likelihoods: Of all hits.
            first_stage: First-stage score of all hits.
            fusion: How the two scores become one; None is the likelihood alone.
        """
        read, hits = 0, len(first_stage)
        while read < hits:
            read = self.next_stop(read, hits)
            if self.stops(likelihoods[:read], first_stage, fusion):
                break
        return read


def discounts(k: int) -> NDArray[np.float64]:
    """The weights of the ranks 1 to k: 1 / log2(rank + 1), as in DCG."""
    return 1 / np.log2(np.arange(2, k + 2))


def features(unread: Unread, read: int) -> NDArray[np.float64]:
    """Inputs of the logistic function, float64 `[unread, ranks, 4]`."""
    ones = np.ones_like(unread.required)
    return np.stack([ones, unread.required, np.log(read) * ones, unread.agreement * ones], axis=-1)


def change(before: Sequence[int], after: Sequence[int], k: int) -> float:
    """The share of the first k hits of `after` that are not among the first k of `before`, weighted by rank.

    Args:
        before: Hits in rank order.
        after: The same hits in another order.
        k: How many of the first hits matter.

    Returns:
        0 (the same hits) to 1.
    """
    known, final = set(before[:k]), list(after[:k])
    weights = discounts(k)[: len(final)]
    missing = [weight for hit, weight in zip(final, weights, strict=True) if hit not in known]
    return float(sum(missing) / weights.sum()) if final else 0.0
