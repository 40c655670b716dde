"""pygaggle's ``Reranker`` interface, over anything with ``text``, ``metadata`` and ``score``.

pygaggle itself is not needed. Contract: https://github.com/castorini/pygaggle, ``pygaggle/rerank/base.py``.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pyserini_qpeft.candidates.texts import raw_text
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.data.records import RankedHit
    from pyserini_qpeft.reranking.reranker import QPeftReranker


class Query(Protocol):
    """What is asked of a pygaggle ``Query``."""

    text: str


class Text(Protocol):
    """What is asked of a pygaggle ``Text``; ``metadata`` may hold the ``docid``."""

    text: str
    metadata: Any
    score: Any


class PygaggleReranker:
    """A reranker for pygaggle's queries and texts, which come back as copies with new scores.

    Args:
        reranker: What scores the passages.
    """

    def __init__(self, reranker: "QPeftReranker") -> None:
        self.reranker = reranker

    def rescore[AnyText: Text](self, query: str | Query, texts: Sequence[AnyText]) -> list[AnyText]:
        """Score texts without moving them. A fusing reranker mixes in the scores that the texts have.

        Args:
            query: A string, or an object whose ``text`` is the query.
            texts: The texts in first-stage order; none of them is changed.

        Returns:
            A copy of each text with its new score, in the order given.

        Raises:
            QPeftError: The reranker drops hits below its depth, so that some texts have no score.
        """
        ranked = self._ranked(query, texts)
        if len(ranked) != len(texts):
            raise QPeftError(
                f"the reranker kept {len(ranked)} of {len(texts)} texts, and rescore owes a score to each: "
                'set below_depth="keep", or call rerank.'
            )
        return _copies(texts, sorted(ranked, key=lambda hit: hit.first_stage_rank))

    def rerank[AnyText: Text](self, query: str | Query, texts: Sequence[AnyText]) -> list[AnyText]:
        """Score texts and sort them, best first; equal scores keep the order given. See :meth:`rescore`."""
        return _copies(texts, self._ranked(query, texts))

    def _ranked(self, query: str | Query, texts: Sequence[Text]) -> "list[RankedHit]":
        hits = [_hit(text, place) for place, text in enumerate(texts, start=1)]
        return self.reranker.rerank(query if isinstance(query, str) else query.text, hits)


def _hit(text: Text, place: int) -> tuple[str, str, float | None]:
    """Docid, passage and first-stage score of a text; a text without docid gets its place in the list as docid."""
    metadata = text.metadata if isinstance(text.metadata, Mapping) else {}
    # pygaggle's hits_to_texts makes the text of the raw field of a hit, which is JSON in most indexes.
    passage = raw_text(text.text) if metadata.get("raw") == text.text else text.text
    return str(metadata.get("docid", place)), passage, text.score


def _copies[AnyText: Text](texts: Sequence[AnyText], ranked: "Sequence[RankedHit]") -> list[AnyText]:
    """The texts of ranked hits, found by their place in the list, because a docid may occur twice."""
    copies = []
    for hit in ranked:
        text = copy.deepcopy(texts[hit.first_stage_rank - 1])
        text.score = float(hit.score)
        copies.append(text)
    return copies
