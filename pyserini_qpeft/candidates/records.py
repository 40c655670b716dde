"""The record of a passage or document to score."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A passage of a document that is given as passages.

    Attributes:
        docid: Id of the passage.
        start: Its first character in the text of the document.
        stop: The character after its last.
    """

    docid: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A first-stage hit with its text.

    Attributes:
        docid: Id of the passage or document.
        text: Title and body as one string, joined by `data.passage.passage_text`; or the texts of `parts`, each
            beginning on a new line.
        score: Score of the first stage.
        parts: The passages of a document that is given as passages, in the order of the text.
    """

    docid: str
    text: str
    score: float
    parts: tuple[Part, ...] = ()
