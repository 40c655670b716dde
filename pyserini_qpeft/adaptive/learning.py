"""Learns a stopping rule on development queries that were reranked to their full depth; qrels are not needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.adaptive.rule import StoppingRule, change, features
from pyserini_qpeft.adaptive.unread import look_ahead
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits

FEWEST_QUERIES = 20


@dataclass(frozen=True)
class StoppingConfig:
    """Settings for learning a stopping rule.

    Attributes:
        stopping_k: How many of the first hits matter.
        stopping_block: Hits that are read between two decisions.
        stopping_loss: The mean change of the first k hits that is accepted, 0 to 1; see `StoppingRule`.
    """

    stopping_k: int = field(default=10, metadata={"help": "stopping rule: how many of the first hits matter"})
    stopping_block: int = field(default=5, metadata={"help": "stopping rule: hits that are read between two decisions"})
    stopping_loss: float = field(
        default=0.07,
        metadata={"help": "stopping rule: share of the first k hits that may change in the mean, 0 to 1"},
    )

    def __post_init__(self) -> None:
        if self.stopping_k < 1 or self.stopping_block < 1:
            raise QPeftError("stopping_k and stopping_block must be 1 or more.")
        if not 0 < self.stopping_loss < 1:
            raise QPeftError(f"stopping_loss must be between 0 and 1, and is {self.stopping_loss}.")


@dataclass(frozen=True, slots=True)
class ReadList:
    """A query whose hits were all read.

    Attributes:
        first_stage: First-stage score of each hit, in the first stage's order.
        likelihoods: Their likelihoods.
    """

    first_stage: Sequence[float]
    likelihoods: Sequence[float]

    def order(self, depth: int, fusion: FusionConfig | None) -> list[int]:
        """Places of the hits in rank order, if `depth` hits are read."""
        return rank_hits(self.likelihoods, self.first_stage, fusion, depth=depth).order


def learn_rule(
    lists: Iterable[ReadList], fusion: FusionConfig | None, config: StoppingConfig | None = None
) -> StoppingRule:
    """Learn a stopping rule.

    The logistic function is fitted to the unread hits at every decision. The threshold is the largest one for which
    the mean change, corrected for the number of queries, is at most the loss (conformal risk control: Angelopoulos et
    al., ICLR 2024). So for another query of the same kind the expected change is at most the loss.

    Args:
        lists: Development queries; those with at most `stopping_k` hits are left out.
        fusion: How the two scores become one; None is the likelihood alone.
        config: The settings.

    Raises:
        QPeftError: There are fewer than 20 queries, the loss is too small for their number, or the fusion is `rrf`.
    """
    config = config or StoppingConfig()
    queries = [one for one in lists if len(one.first_stage) > config.stopping_k]
    if len(queries) < FEWEST_QUERIES:
        raise QPeftError(
            f"a stopping rule needs {FEWEST_QUERIES} dev queries or more with more than {config.stopping_k} hits that "
            f"are all rescored, and there are {len(queries)}"
        )
    blank = StoppingRule(0.0, -1.0, 0.0, 0.0, 0.0, k=config.stopping_k, block=config.stopping_block)
    intercept, required, read, agreement = _fit(queries, fusion, blank)
    fitted = replace(
        blank,
        intercept=intercept,
        required=required,
        read=read,
        agreement=agreement,
        loss=config.stopping_loss,
        queries=len(queries),
    )
    return replace(fitted, threshold=_threshold(queries, fusion, fitted))


def decisions(rule: StoppingRule, hits: int) -> list[int]:
    """How many hits have been read at each decision before the last."""
    places = [rule.next_stop(0, hits)]
    while places[-1] < hits:
        places.append(rule.next_stop(places[-1], hits))
    return places[:-1]


def _fit(queries: Sequence[ReadList], fusion: FusionConfig | None, rule: StoppingRule) -> list[float]:
    from scipy.optimize import minimize

    inputs, answers = [], []
    for one in queries:
        likelihoods = np.asarray(one.likelihoods, dtype=np.float64)
        for read in decisions(rule, len(one.first_stage)):
            unread = look_ahead(one.likelihoods[:read], one.first_stage, fusion, rule.k)
            seen = likelihoods[:read]
            reached = (likelihoods[read:] - seen.mean()) / (seen.std() or 1.0)
            # Neighbouring ranks say nearly the same, so a third of them is enough.
            inputs.append(features(unread, read)[:, ::3].reshape(-1, 4))
            answers.append((reached[:, None] > unread.required[:, ::3]).ravel())
    given, truth = np.concatenate(inputs), np.concatenate(answers).astype(np.float64)

    def loss(factors: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = np.clip(given @ factors, -500, 500)
        error = 1 / (1 + np.exp(-odds)) - truth
        return float((np.logaddexp(0, odds) - truth * odds).mean()), given.T @ error / len(truth)

    found = minimize(loss, np.array([0.0, -1.0, 0.0, 0.0]), jac=True, method="BFGS").x
    return [float(one) for one in found]


def _threshold(queries: Sequence[ReadList], fusion: FusionConfig | None, rule: StoppingRule) -> float:
    expected, lost = [], []
    for one in queries:
        hits = len(one.first_stage)
        final = one.order(hits, fusion)
        stops = decisions(rule, hits)
        expected.append([rule.expected_change(one.likelihoods[:read], one.first_stage, fusion) for read in stops])
        changes = [change(one.order(read, fusion), final, rule.k) for read in stops]
        # To stop earlier must not lose less, so each decision counts the largest change of it and of later ones.
        lost.append(np.maximum.accumulate(changes[::-1])[::-1])
    candidates = np.unique(np.concatenate([np.minimum.accumulate(one) for one in expected]))
    low, high = -1, len(candidates) - 1
    while low < high:  # the largest candidate whose corrected mean loss is accepted
        middle = (low + high + 1) // 2
        losses = [
            next((loss for value, loss in zip(one, changes, strict=True) if value <= candidates[middle]), 0.0)
            for one, changes in zip(expected, lost, strict=True)
        ]
        if (sum(losses) + 1) / (len(losses) + 1) <= rule.loss:
            low = middle
        else:
            high = middle - 1
    if low < 0:
        raise QPeftError(
            f"no rule changes the first {rule.k} hits by less than {rule.loss:g} with certainty on {len(queries)} dev "
            "queries: take more queries or accept a larger loss"
        )
    return float(candidates[low])
