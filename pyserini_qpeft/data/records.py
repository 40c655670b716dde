"""What the readers give and the writers take."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """One line of a run; `text` only where the file holds it (requests, JSONL)."""

    docid: str
    score: float
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit in its final place, with what the first stage said of it.

    Attributes:
        docid: Identifier of the passage.
        score: What the list is sorted by, descending.
        rank: Place in the list, from 1.
        first_stage_score: Score before reranking; NaN if the first stage gave none (JSONL: null).
        first_stage_rank: Place before reranking, from 1.
        text: The text that was scored, where it was kept.
        likelihood: Mean log-likelihood (natural logarithm) of a query token; None below the depth.
    """

    docid: str
    score: float
    rank: int
    first_stage_score: float
    first_stage_rank: int
    text: str | None = None
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class RankedList:
    """The final list of one query, as it is written.

    Attributes:
        qid: Identifier of the query.
        query: Its text.
        hits: In rank order.
        hints: The hint tokens of each hit, parallel to `hits` (JSONL only).
        seconds: Time spent on this query (JSONL only).
    """

    qid: str
    query: str
    hits: Sequence[RankedHit]
    hints: Sequence[Sequence[str] | None] | None = None
    seconds: float | None = None


Run = dict[str, list[ScoredDoc]]
"""Hits of each query in rank order; queries in file order."""

Topics = dict[str, str]
"""Text of each query, in file order."""

Qrels = dict[str, dict[str, int]]
"""Grade of each judged passage of each query."""
