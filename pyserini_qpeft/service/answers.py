"""What several interfaces answer, HTTP and MCP: scores, best passages and stages of hits, a search with reranking."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.names import ServedCascade
from pyserini_qpeft.service.reranks import NO_CHOICES, Choices, Reranking
from pyserini_qpeft.service.searching import SearchHit

DEPTH = 100
"""How many hits of a search are reranked if neither the request nor the model says."""


def shown_score(likelihood: float, probability: float | None = None) -> float:
    """The score of a document that a client sees, 0 to 1.

    Args:
        likelihood: Mean natural-log probability of the query's tokens, never above 0.
        probability: Calibrated probability of relevance; None if the model has no calibration.

    Returns:
        The probability of relevance. Without a calibration it is the exponential of the likelihood: the geometric mean
        of the probabilities of the query's tokens, which compares documents of one query only.
    """
    return math.exp(min(0.0, likelihood)) if probability is None else probability


def pair_score(likelihood: float, prior: float | None, calibration: Calibration | None, *, raw: bool) -> float:
    """The score of a pair that a client sees.

    Args:
        likelihood: Of the pair.
        prior: Likelihood of its query without a passage.
        calibration: That of the model.
        raw: Whether the client asked for the likelihood.
    """
    if raw:
        return likelihood
    calibrated = calibration is not None and prior is not None
    return shown_score(likelihood, calibration.probability(likelihood, prior) if calibrated else None)  # type: ignore[union-attr,arg-type]


def shown_scores(hits: RankedHits, *, raw: bool) -> list[float]:
    """The scores of a list that a client sees; they never ascend.

    Args:
        hits: The list.
        raw: Whether the client asked for the scores that the list is sorted by.

    Returns:
        If likelihoods order the list: `shown_score` of each hit, and below it falling scores for the hits that were not
        scored. If something else does, which is the fusion of a cascade's stages: the logistic function of its scores.
    """
    if raw:
        return [hit.score for hit in hits]
    scored = [hit for hit in hits if hit.likelihood is not None]
    if any(hit.score != hit.likelihood for hit in scored):
        return [_logistic(hit.score) for hit in hits]
    lowest = scored[-1] if scored else None
    least = 1.0 if lowest is None else _shown(lowest)
    floor = 0.0 if lowest is None else lowest.score
    return [least * math.exp(hit.score - floor) if hit.likelihood is None else _shown(hit) for hit in hits]


def _shown(hit: RankedHit) -> float:
    assert hit.likelihood is not None
    return shown_score(hit.likelihood, hit.probability)


def _logistic(score: float) -> float:
    small = math.exp(-abs(score))
    return 1 / (1 + small) if score >= 0 else small / (1 + small)


def details(reranking: Reranking, place: int) -> dict[str, Any]:
    """What is known of a hit beside its scores, if there are windows or a cascade: its best passage, and its stages.

    Args:
        reranking: The list.
        place: Place of the hit in it.
    """
    hit = reranking.hits[place]
    found: dict[str, Any] = {}
    if (best := hit.best_passage) is not None:
        found["best_passage"] = {
            "text": best.text,
            "start": best.start,
            "stop": best.stop,
            "likelihood": best.likelihood,
        }
    if reranking.stages:
        found["probability"] = hit.probability
        found["stage"] = reranking.stage_of(place)
        found["stages"] = [
            {"model": name, "rank": score.rank, "score": score.score, "likelihood": score.likelihood}
            for name, score in zip(reranking.stages, hit.stages or (), strict=True)
        ]
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """A search with reranking.

    Attributes:
        query: The query.
        index: Name of the index; None is the default.
        model: Name of the model or cascade; None is the default.
        k: How many hits are returned.
        rerank: False keeps the first stage's order; the depth then means nothing.
        choices: What the request chooses for itself.
        milliseconds: Time limit of the reranking; None is that of the model.
    """

    query: str
    index: str | None = None
    model: str | None = None
    k: int = 10
    rerank: bool = True
    choices: Choices = NO_CHOICES
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        hits: The hits of the first stage, best first.
        reranking: The same hits in their new order, whose first-stage ranks are places in `hits`, from 1; None if they
            were not reranked.
        first_stage_seconds: Time of the search.
        rerank_seconds: Time of the reranking.
    """

    hits: Sequence[SearchHit]
    reranking: Reranking | None
    first_stage_seconds: float
    rerank_seconds: float


async def search_and_rerank(service: Service, question: Question) -> Found:
    """Search an index and rerank its hits.

    Args:
        service: Searches and scores.
        question: What is asked.

    Raises:
        ServiceError: As for `Service.search` and `Service.rerank`.
    """
    depth = _depth(service, question)
    began = time.perf_counter()
    hits = await service.search(
        question.index, question.query, max(depth, question.k) if question.rerank else question.k
    )
    searched = time.perf_counter()
    if not question.rerank:
        return Found(hits, None, searched - began, 0.0)
    choices = question.choices
    if choices.depth is None and not isinstance(service.served(question.model), ServedCascade):
        choices = Choices(depth, choices.fusion, choices.fusion_weight)
    reranking = await service.rerank(
        question.model,
        question.query,
        [Candidate(hit.docid, hit.text, hit.score) for hit in hits],
        choices,
        milliseconds=question.milliseconds,
    )
    return Found(hits, reranking, searched - began, time.perf_counter() - searched)


def _depth(service: Service, question: Question) -> int:
    """How many hits are reranked."""
    served = service.served(question.model)
    configured = served.stages[0].config.depth if isinstance(served, ServedCascade) else served.config.depth
    return next((depth for depth in (question.choices.depth, configured) if depth is not None), DEPTH)
