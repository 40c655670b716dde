"""What is asked of the reranker, and what it gives back: requests, their candidates, and final lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.candidates.hits import first_stage_hits, to_candidates
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import TextSource, chain, from_mapping, from_searcher
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.errors import NonFiniteScoreError
from pyserini_qpeft.reranking.ranking import Ranking
from pyserini_qpeft.scoring.report import ScoringReport

Request = tuple[str, Iterable[Any]]
"""A query and its first-stage hits, best first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, its hits to rescore, and its tail."""

    query: str
    head: list[Candidate]
    tail: list[RankedHit]


@dataclass(frozen=True, slots=True)
class Reranked:
    """The final list of one query.

    Attributes:
        hits: In rank order.
        hints: The hint tokens of each hit, None for a hit that was not rescored; None if they were not asked for.
    """

    hits: list[RankedHit]
    hints: list[list[str] | None] | None = None


@dataclass(slots=True)
class Call:
    """The state of one call of the reranker; no other call sees it.

    Attributes:
        report: Counts and time of scoring.
        k: How many hits of each query are returned; None is all.
        hints: Whether the hint tokens of each hit are kept.
        warned: Whether the call has warned of first-stage scores that cannot be used.
    """

    report: ScoringReport
    k: int | None = None
    hints: bool = False
    warned: bool = False


def text_source(searcher: Any, corpus: Any) -> TextSource | None:
    """The texts of a searcher and of a corpus, asked in this order; None if neither is given.

    Args:
        searcher: Anything whose `doc(docid)` gives a Lucene document, or None.
        corpus: A mapping from docid to text, a function from docid to text, or None.
    """
    sources = [from_searcher(searcher)] if searcher is not None else []
    sources += [from_mapping(corpus)] if isinstance(corpus, Mapping) else [corpus] if corpus is not None else []
    return chain(*sources) if sources else None


def ask(query: str, hits: Iterable[Any], texts: TextSource | None, depth: int | None) -> Asked:
    """A request with the texts of the hits that are rescored."""
    listed = list(hits)
    head = to_candidates(listed[:depth], texts)
    return Asked(query, head, first_stage_hits(listed[len(head) :], first_rank=len(head) + 1))


def refuse_non_finite(asked: Asked, likelihoods: npt.NDArray[np.float32]) -> None:
    """Refuse likelihoods that are NaN or infinite.

    Raises:
        NonFiniteScoreError: Names the first such hit.
    """
    for candidate, likelihood in zip(asked.head, likelihoods, strict=True):
        if not np.isfinite(likelihood):
            raise NonFiniteScoreError(
                f"the score of document {candidate.docid!r} for query {asked.query!r} is {likelihood}: "
                "the model's numbers overflow; try another dtype (float32).",
                asked.query,
            )


def ranked_hits(asked: Asked, likelihoods: npt.NDArray[np.float32], ranking: Ranking) -> list[RankedHit]:
    """The hits in the order of a ranking, with both scores and ranks."""
    hits = []
    for rank, (place, score) in enumerate(zip(ranking.order, ranking.scores, strict=True), start=1):
        if place >= len(asked.head):
            hits.append(replace(asked.tail[place - len(asked.head)], score=score, rank=rank))
            continue
        candidate = asked.head[place]
        hits.append(
            RankedHit(
                docid=candidate.docid,
                score=score,
                rank=rank,
                first_stage_score=candidate.score,
                first_stage_rank=place + 1,
                text=candidate.text,
                likelihood=float(likelihoods[place]),
            )
        )
    return hits
