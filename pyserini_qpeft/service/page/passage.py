"""A passage in pieces: hints, the words between them, the best window of a document, and the end that was cut."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
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
        best: Whether it is in the best window of a document that is scored through windows.
    """

    text: str
    similarity: float | None = None
    read: bool = True
    best: bool = False


def pieces(text: str, explanation: "Explanation") -> Iterator[Piece]:
    """Cut a passage into pieces, in order and none of them empty.

    Pieces are text and not numbers of characters, because Python and JavaScript count characters differently.

    Args:
        text: The passage that was explained.
        explanation: Its explanation.
    """
    best = explanation.best_window
    if best is None:
        yield from _hinted(text, explanation)
        return
    at = 0
    for piece in _hinted(text, explanation):
        end = at + len(piece.text)
        cuts = [at, *(place for place in (best.start, best.stop) if at < place < end), end]
        for start, stop in pairwise(cuts):
            yield replace(piece, text=text[start:stop], best=best.start <= start < best.stop)
        at = end


def _hinted(text: str, explanation: "Explanation") -> Iterator[Piece]:
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
