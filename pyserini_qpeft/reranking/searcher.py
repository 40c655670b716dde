"""A searcher of Pyserini's whose results are reranked already."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.candidates.texts import gives_documents
from pyserini_qpeft.data.records import RankedHit

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.reranker import QPeftReranker


class RerankingSearcher:
    """Wraps a first-stage searcher; what it finds comes back in the reranker's order.

        searcher = RerankingSearcher(LuceneSearcher("indexes/nfcorpus"), QPeftReranker.from_pretrained())
        hits = searcher.search("is butter bad for you", k=10)

    Args:
        searcher: Any of Pyserini's searchers (Lucene, impact, HNSW, Faiss, hybrid), or anything with such a `search`.
        reranker: What reorders the hits; its own configuration says how many of them it rescores.
        depth: How many hits the first stage is asked for, whatever number is wanted in the end.
        corpus: Texts of hits that bring none, as dense ones do: a mapping from docid to text, or a `TextSource` such as
            `lucene.StoredTexts`. Asked after the searcher's own `doc`.
    """

    def __init__(self, searcher: Any, reranker: "QPeftReranker", *, depth: int = 100, corpus: Any = None) -> None:
        self.searcher = searcher
        self.reranker = reranker
        self.depth = depth
        self.corpus = corpus

    def search(self, q: str, k: int = 10, **options: Any) -> list[RankedHit]:
        """Search and rerank one query.

        Args:
            q: The query.
            k: Number of hits to return.
            **options: Go to the first stage's `search`.

        Raises:
            QPeftError: A hit has no text anywhere, or its score is not a number; the docid is named.
        """
        hits = self.searcher.search(q, **{**self._wanted(self.searcher.search, k), **options})
        return self.reranker.rerank(q, hits, k=k, searcher=self._stored(), corpus=self.corpus)

    def batch_search(
        self, queries: Sequence[str], qids: Sequence[str], k: int = 10, threads: int = 1, **options: Any
    ) -> dict[str, list[RankedHit]]:
        """Search and rerank many queries, batched across them.

        Args:
            queries: The queries.
            qids: Their ids, in the same order.
            k: Number of hits to return for each.
            threads: Threads of the first stage.
            **options: Go to the first stage's `batch_search`.

        Returns:
            The hits of each id, in the order of `qids`.
        """
        wanted = {**self._wanted(self.searcher.batch_search, k), "threads": threads, **options}
        found = self.searcher.batch_search(list(queries), list(qids), **wanted)
        requests = [(query, found.get(qid, [])) for query, qid in zip(queries, qids, strict=True)]
        ranked = self.reranker.rerank_batch(requests, k=k, searcher=self._stored(), corpus=self.corpus)
        return dict(zip(qids, ranked, strict=True))

    def doc(self, docid: str) -> Any:
        """The stored document of a docid, as the first stage's `doc` gives it."""
        stored = self._stored()
        return None if stored is None else stored.doc(docid)

    def _wanted(self, search: Any, k: int) -> dict[str, int]:
        """How many hits to ask for; a hybrid searcher's `k0` is what it asks of its own two searchers."""
        names = inspect.signature(search).parameters
        return {name: max(self.depth, k) for name in ("k", "k0") if name in names}

    def _stored(self) -> Any:
        """The searcher that has documents: a hybrid searcher's are in its sparse half."""
        halves = (self.searcher, getattr(self.searcher, "sparse_searcher", None))
        return next((half for half in halves if gives_documents(half)), None)
