"""Pyserini's ``--prcl`` interface: ``rerank(doc_ids, scores) -> (scores, doc_ids)``.

Pyserini's search command (``pyserini/search/lucene/__main__.py``) gives its reranker docids and scores, but neither the
query nor texts. :class:`PrclReranker` is made for one query. :class:`PrclSearcher` wraps the searcher of that command,
so that one object serves all queries. Pyserini does not rerank lists of at most r + n hits, 110 by default: with
``--prcl.r 0 --prcl.n 0`` every list is reranked.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


class PrclReranker:
    """A reranker for the hits of one query, called as Pyserini calls ``PseudoRelevanceClassifierReranker``.

    Args:
        reranker: Scores the passages.
        query: The query whose hits are reranked.
        searcher: A searcher whose ``doc(docid)`` has the text of a docid.
        corpus: A mapping from docid to passage text; used in place of the searcher.
    """

    def __init__(
        self,
        reranker: "Reranker",
        query: str,
        *,
        searcher: Any = None,
        corpus: Mapping[str, str] | None = None,
    ) -> None:
        self.reranker = reranker
        self.query = query
        self.searcher = searcher
        self.corpus = corpus

    def rerank(self, doc_ids: Sequence[str], search_scores: Sequence[float]) -> tuple[list[float], list[str]]:
        """Rerank one list of hits.

        Args:
            doc_ids: Docids in first-stage order.
            search_scores: Their first-stage scores, in the same order.

        Returns:
            The scores in descending order, and the docids in the same order; equal scores keep their order.

        Raises:
            QPeftError: The lists differ in length, a docid has no text, or the reranker drops hits
                (Pyserini needs a score for every docid).
        """
        if len(doc_ids) != len(search_scores):
            raise QPeftError(
                f"{len(doc_ids)} docids came with {len(search_scores)} scores: give one score for each docid."
            )
        hits = list(zip(doc_ids, search_scores, strict=True))
        ranked = self.reranker.rerank(self.query, hits, searcher=self.searcher, corpus=self.corpus)
        if len(ranked) != len(hits):
            raise QPeftError(
                f"the reranker kept {len(ranked)} of {len(hits)} hits, and Pyserini needs a score for each: "
                'set below_depth="keep" and no minimum_probability.'
            )
        return [float(hit.score) for hit in ranked], [doc_ids[hit.first_stage_rank - 1] for hit in ranked]


class PrclSearcher:
    """A Pyserini searcher that remembers its queries and reranks its own hits.

    All attributes except ``search``, ``batch_search`` and ``rerank`` are those of the wrapped searcher. The lists that
    it returns are copies, and ``rerank`` sorts them: Pyserini writes the new scores into the hits without sorting them,
    but its MS MARCO and KILT writers use the order of the list.

    Args:
        searcher: The searcher to wrap; it also has the texts, unless ``corpus`` is given.
        reranker: Scores the passages.
        corpus: A mapping from docid to passage text.
    """

    def __init__(self, searcher: Any, reranker: "Reranker", *, corpus: Mapping[str, str] | None = None) -> None:
        self._searcher = searcher
        self._reranker = reranker
        self._corpus = corpus
        self._waiting: list[tuple[str, list[Any]]] = []

    def search(self, q: str, *args: Any, **kwargs: Any) -> list[Any]:
        """The wrapped searcher's ``search``; the next ``rerank`` is for this query."""
        hits = list(self._searcher.search(q, *args, **kwargs))
        self._waiting = [(q, hits)]
        return hits

    def batch_search(
        self, queries: Sequence[str], qids: Sequence[str], *args: Any, **kwargs: Any
    ) -> dict[str, list[Any]]:
        """The wrapped searcher's ``batch_search``; the next calls of ``rerank`` are for these queries."""
        found = self._searcher.batch_search(queries, qids, *args, **kwargs)
        results = {qid: list(found[qid]) for qid in qids}
        self._waiting = [(query, results[qid]) for query, qid in zip(queries, qids, strict=True)]
        return results

    def rerank(self, doc_ids: Sequence[str], search_scores: Sequence[float]) -> tuple[list[float], list[str]]:
        """Rerank one list of hits of the last search, whose query is known; see :meth:`PrclReranker.rerank`."""
        asked = list(zip(doc_ids, search_scores, strict=True))
        places = (place for place, (_, hits) in enumerate(self._waiting) if _pairs(hits) == asked)
        place = next(places, None)
        if place is None:
            raise QPeftError("these hits are not from the last search of this searcher: search first.")
        query, hits = self._waiting.pop(place)
        bound = PrclReranker(self._reranker, query, searcher=self._searcher, corpus=self._corpus)
        scores, docids = bound.rerank(doc_ids, search_scores)
        order = {docid: rank for rank, docid in enumerate(docids)}
        hits.sort(key=lambda hit: order[hit.docid.strip()])
        return scores, docids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._searcher, name)


def _pairs(hits: Sequence[Any]) -> list[tuple[str, float]]:
    """Return docids and scores as Pyserini's search command reads them from hits."""
    return [(hit.docid.strip(), hit.score) for hit in hits]
