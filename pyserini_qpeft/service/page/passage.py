"""A passage in pieces: hints, the words between them, and the end that was cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a passage.

    Attributes:
        text: Its text. The pieces of a passage joined are the passage.
        similarity: If it is a hint, its cosine similarity with the nearest query token; else None.
        read: Whether the model read it.
    """

    text: str
    similarity: float | None = None
    read: bool = True


def pieces(text: str, explanation: "Explanation") -> Iterator[Piece]:
    """Cut a passage into pieces, in order and none of them empty.

    Pieces are text and not numbers of characters, because Python and JavaScript count characters differently.

    Args:
        text: The passage that was explained.
        explanation: Its explanation.
    """
    places = sorted((place, hint.similarity) for hint in explanation.hints for place in hint.places)
    end = 0
    for (start, stop), similarity in places:
        # The bytes of one character can be several tokens, which all have its place.
        if start < end or start == stop:
            continue
        if start > end:
            yield Piece(text[end:start])
        yield Piece(text[start:stop], similarity)
        end = stop
    read = max(end, explanation.read)
    if read > end:
        yield Piece(text[end:read])
    if read < len(text):
        yield Piece(text[read:], read=False)
