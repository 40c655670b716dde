"""A passage to be scored, and the same passage in its new place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A first-stage hit together with its text.

    Attributes:
        docid: Identifier of the passage.
        text: Title and body as one string (see `candidates.passage.passage_text`).
        score: The first stage's score.
    """

    docid: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit in its final place, with what the first stage said of it.

    Attributes:
        docid: Identifier of the passage.
        score: What the list is sorted by, descending.
        rank: Place in the list, from 1.
        first_stage_score: Score before reranking.
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
