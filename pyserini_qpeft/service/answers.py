"""What is asked of several interfaces, HTTP and MCP: documents in order, and a search with reranking."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.searching import SearchHit


def shown_score(likelihood: float, probability: float | None = None, *, raw: bool) -> float:
    """The score that a client sees.

    Args:
        likelihood: Mean natural-log probability of the query's tokens, never above 0.
        probability: Calibrated probability of relevance; None if the model has no calibration.
        raw: Whether the client asked for it as it is.

    Returns:
        The likelihood, or the probability of relevance. Without a calibration it is the exponential of the likelihood:
        the geometric mean of the probabilities of the query's tokens, 0 to 1, which compares documents of one query
        only. The order is always the same.
    """
    if raw:
        return likelihood
    return math.exp(min(0.0, likelihood)) if probability is None else probability


def best_first(likelihoods: Sequence[float], top_n: int | None = None) -> list[int]:
    """Places of the documents, best first; equal ones in the order given.

    Args:
        likelihoods: Of each document.
        top_n: How many; None and 0 are all.
    """
    return sorted(range(len(likelihoods)), key=lambda place: -likelihoods[place])[: top_n or None]


@dataclass(frozen=True, slots=True)
class Question:
    """A search with reranking.

    Attributes:
        query: The query.
        index: Name of the index; None is the default.
        model: Name of the model; None is the default.
        k: How many hits are returned.
        depth: How many hits are reranked.
        rerank: False keeps the first stage's order; the depth then means nothing.
        fusion: The method; None is the likelihood alone.
    """

    query: str
    index: str | None = None
    model: str | None = None
    k: int = 10
    depth: int = 100
    rerank: bool = True
    fusion: FusionConfig | None = field(default_factory=FusionConfig)


@dataclass(frozen=True, slots=True)
class FoundHit:
    """A hit in its final place.

    Attributes:
        hit: The hit of the first stage.
        rank: Place in the final list, from 1.
        score: What the list is sorted by.
        likelihood: Mean log-likelihood; None if it was not reranked.
        probability: Calibrated probability of relevance; None if it was not reranked, or without a calibration.
        first_stage_rank: Place in the first stage's list, from 1.
    """

    hit: SearchHit
    rank: int
    score: float
    likelihood: float | None
    probability: float | None
    first_stage_rank: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        hits: Best first.
        tokens: Tokens that the model read.
        first_stage_seconds: Time of the search.
        rerank_seconds: Time of the reranking.
    """

    hits: list[FoundHit]
    tokens: int
    first_stage_seconds: float
    rerank_seconds: float


async def search_and_rerank(service: Service, question: Question) -> Found:
    """Search an index and rerank its hits by the ranking rule of `qpeft search`.

    Args:
        service: Searches and scores.
        question: What is asked.

    Raises:
        ServiceError: As for `Service.search` and `Service.scored`.
    """
    model = service.models[service.model_name(question.model)]
    began = time.perf_counter()
    needed = max(question.depth, question.k) if question.rerank else question.k
    hits = await service.search(question.index, question.query, needed)
    searched = time.perf_counter()
    first_stage = [hit.score for hit in hits]
    if not question.rerank:
        found = [FoundHit(hit, place + 1, hit.score, None, None, place + 1) for place, hit in enumerate(hits)]
        return Found(found, 0, searched - began, 0.0)
    head = hits[: question.depth]
    job = await service.scored(model.name, [(question.query, hit.text) for hit in head])
    fusion = question.fusion and question.fusion.for_model(service.config.model.model)
    ranking = rank_hits(job.scores, first_stage, fusion, depth=len(head))
    unread = [None] * (len(hits) - len(head))
    likelihoods, probabilities = [*job.scores, *unread], [*job.probabilities, *unread]
    found = [
        FoundHit(hits[place], rank, score, likelihoods[place], probabilities[place], place + 1)
        for rank, (place, score) in enumerate(zip(ranking.order, ranking.scores, strict=True), start=1)
    ]
    return Found(found[: question.k], job.tokens, searched - began, time.perf_counter() - searched)
