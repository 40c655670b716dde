"""A passage to be scored, and the same passage in its new place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A first-stage hit together with its text.

    Attributes:
        docid: identifier of the passage.
        text: title and body as one string (see `candidates.passage.passage_text`).
        score: the first stage's score.
    """

    docid: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit in its final place, with what the first stage said of it.

    Attributes:
        docid: identifier of the passage.
        score: what the list is sorted by, descending.
        rank: place in the list, from 1.
        first_stage_score: score before reranking.
        first_stage_rank: place before reranking, from 1.
        text: the text that was scored, where it was kept.
        likelihood: mean log-likelihood (natural logarithm) of a query token; None below the depth.
    """

    docid: str
    score: float
    rank: int
    first_stage_score: float
    first_stage_rank: int
    text: str | None = None
    likelihood: float | None = None
