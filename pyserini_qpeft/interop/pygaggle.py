"""pygaggle's ``Reranker`` interface, for all objects with the attributes ``text``, ``metadata`` and ``score``.

pygaggle itself is not needed. The interface: https://github.com/castorini/pygaggle, ``pygaggle/rerank/base.py``.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pyserini_qpeft.candidates.texts import raw_text
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.data.records import RankedHit
    from pyserini_qpeft.reranking.protocol import Reranker


class Query(Protocol):
    """The part of a pygaggle ``Query`` that is used."""

    text: str


class Text(Protocol):
    """The part of a pygaggle ``Text`` that is used; ``metadata`` may have a ``docid``."""

    text: str
    metadata: Any
    score: Any


class PygaggleReranker:
    """A reranker for pygaggle's queries and texts; it returns copies of the texts with new scores.

    Args:
        reranker: Scores the passages.
    """

    def __init__(self, reranker: "Reranker") -> None:
        self.reranker = reranker

    def rescore[AnyText: Text](self, query: str | Query, texts: Sequence[AnyText]) -> list[AnyText]:
        """Score texts without sorting them. A fusing reranker mixes in the scores that the texts have.

        Args:
            query: The query, as a string or as an object with the attribute ``text``.
            texts: The texts in first-stage order; they are not changed.

        Returns:
            A copy of each text with its new score, in the same order.

        Raises:
            QPeftError: The reranker drops hits, so some texts have no score.
        """
        ranked = self._ranked(query, texts)
        if len(ranked) != len(texts):
            raise QPeftError(
                f"the reranker kept {len(ranked)} of {len(texts)} texts, and rescore returns a score for each: "
                'set below_depth="keep" and no minimum_probability, or call rerank.'
            )
        return _copies(texts, sorted(ranked, key=lambda hit: hit.first_stage_rank))

    def rerank[AnyText: Text](self, query: str | Query, texts: Sequence[AnyText]) -> list[AnyText]:
        """Score texts and sort them, best first; equal scores keep their order. See :meth:`rescore`."""
        return _copies(texts, self._ranked(query, texts))

    def _ranked(self, query: str | Query, texts: Sequence[Text]) -> "list[RankedHit]":
        hits = [_hit(text, place) for place, text in enumerate(texts, start=1)]
        return self.reranker.rerank(query if isinstance(query, str) else query.text, hits)


def _hit(text: Text, place: int) -> tuple[str, str, float | None]:
    """Return docid, passage and first-stage score of a text; without a docid, its rank is used."""
    metadata = text.metadata if isinstance(text.metadata, Mapping) else {}
    # pygaggle's hits_to_texts uses the raw field of a hit as text, which is JSON in most indexes.
    passage = raw_text(text.text) if metadata.get("raw") == text.text else text.text
    return str(metadata.get("docid", place)), passage, text.score


def _copies[AnyText: Text](texts: Sequence[AnyText], ranked: "Sequence[RankedHit]") -> list[AnyText]:
    """Copy the texts of ranked hits; they are found by first-stage rank, because a docid may occur twice."""
    copies = []
    for hit in ranked:
        text = copy.deepcopy(texts[hit.first_stage_rank - 1])
        text.score = float(hit.score)
        copies.append(text)
    return copies
