"""The records that readers return and writers take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """A hit of a run.

    Attributes:
        docid: Id of the passage.
        score: The first stage's score.
        text: Text of the passage, if the file holds it (requests, JSONL).
    """

    docid: str
    score: float
    text: str | None = None


@dataclass(frozen=True, slots=True)
class StageScore:
    """A hit after one stage of a cascade.

    Attributes:
        rank: Its rank, from 1.
        score: Its score.
        likelihood: Its likelihood; None if the stage did not rescore it.
    """

    rank: int
    score: float
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit in its final place, with its place and score before reranking.

    Attributes:
        docid: Id of the passage.
        score: Score that the list is sorted by, descending.
        rank: Place in the list, from 1.
        first_stage_score: Score before reranking; NaN if the first stage gave none (JSONL: null).
        first_stage_rank: Place before reranking, from 1.
        text: Text that was scored, if it was kept.
        likelihood: Mean log-likelihood (natural logarithm) of a query token; None below the depth.
        probability: Calibrated probability that the hit is relevant, 0 to 1; None below the depth, or if the model has
            no calibration.
        stages: Rank, score and likelihood after each stage of a cascade, first to last; None without a cascade.
    """

    docid: str
    score: float
    rank: int
    first_stage_score: float
    first_stage_rank: int
    text: str | None = None
    likelihood: float | None = None
    probability: float | None = None
    stages: tuple[StageScore, ...] | None = None


@dataclass(frozen=True, slots=True)
class RankedList:
    """The final list of one query, as it is written.

    Attributes:
        qid: Id of the query.
        query: Text of the query.
        hits: In rank order.
        hints: The hint tokens of each hit, parallel to `hits` (JSONL only).
        seconds: Time spent on this query (JSONL only).
        prior: Likelihood of the query without a passage, from which probabilities are fitted (JSONL only).
    """

    qid: str
    query: str
    hits: Sequence[RankedHit]
    hints: Sequence[Sequence[str] | None] | None = None
    seconds: float | None = None
    prior: float | None = None


Run = Mapping[str, list[ScoredDoc]]
"""Hits of each query in rank order; queries in file order."""

Topics = dict[str, str]
"""Text of each query, in file order."""

Qrels = dict[str, dict[str, int]]
"""Grade of each judged passage of each query."""
