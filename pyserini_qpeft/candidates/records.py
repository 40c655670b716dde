"""A passage to be scored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A first-stage hit together with its text.

    Attributes:
        docid: Identifier of the passage.
        text: Title and body as one string (see `data.passage.passage_text`).
        score: The first stage's score.
    """

    docid: str
    text: str
    score: float
