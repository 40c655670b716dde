"""The record of a passage to score."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A first-stage hit with its text.

    Attributes:
        docid: Id of the passage.
        text: Title and body as one string, joined by `data.passage.passage_text`.
        score: Score of the first stage.
    """

    docid: str
    text: str
    score: float
