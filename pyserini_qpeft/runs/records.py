"""What the readers give and the writers take."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyserini_qpeft.candidates.records import RankedHit


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """One line of a run; `text` only where the file holds it (requests, JSONL)."""

    docid: str
    score: float
    text: str | None = None


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
