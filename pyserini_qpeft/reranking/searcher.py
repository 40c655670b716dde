"""A Pyserini searcher that reranks its hits."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.candidates.texts import gives_documents
from pyserini_qpeft.checks import check_count
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.errors import QPeftError, counted

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


class RerankingSearcher:
    """Wraps a first-stage searcher, and reranks the hits that it finds.

        searcher = RerankingSearcher(LuceneSearcher("indexes/nfcorpus"), QPeftReranker.from_pretrained())
        hits = searcher.search("is butter bad for you", k=10)

    Args:
        searcher: Any Pyserini searcher (Lucene, impact, HNSW, Faiss, hybrid), or an object with such a `search`.
        reranker: Reranks the hits; its configuration says how many of them it rescores.
        depth: How many hits the first stage finds at least, also if fewer are returned.
        corpus: Gives texts of hits that have none, such as dense ones: a mapping from docid to text, or a `TextSource`
            such as `lucene.StoredTexts`. It is asked if the searcher's own `doc` gives no text.

    Raises:
        QPeftError: The searcher has no `search`, the reranker no `rerank`, or the depth is no whole number.
    """

    def __init__(self, searcher: Any, reranker: "Reranker", *, depth: int = 100, corpus: Any = None) -> None:
        if not hasattr(searcher, "search"):
            raise QPeftError(f"the searcher has no search: {searcher!r:.80}. Open an index with lucene.open_searcher.")
        if not hasattr(reranker, "rerank"):
            raise QPeftError(f"the reranker has no rerank: {reranker!r:.80}.")
        check_count(depth, "depth")
        self.searcher = searcher
        self.reranker = reranker
        self.depth = depth
        self.corpus = corpus

    def search(self, q: str, k: int = 10, **options: Any) -> list[RankedHit]:
        """Search and rerank one query.

        Args:
            q: The query.
            k: Number of hits to return.
            **options: Passed on to the first stage's `search`.

        Raises:
            QPeftError: The text of a hit is missing, or the model's score of it is not finite; the docid is named.
        """
        check_count(k, "k")
        hits = self.searcher.search(q, **{**self._wanted(self.searcher.search, k), **options})
        return self.reranker.rerank(q, hits, k=k, searcher=self._stored(), corpus=self.corpus)

    def batch_search(
        self, queries: Sequence[str], qids: Sequence[str], k: int = 10, threads: int = 1, **options: Any
    ) -> dict[str, list[RankedHit]]:
        """Search and rerank many queries, in batches across queries.

        Args:
            queries: The queries.
            qids: Their qids, in the same order.
            k: Number of hits to return for each query.
            threads: Number of threads of the first stage.
            **options: Passed on to the first stage's `batch_search`.

        Returns:
            The hits by qid, in the order of `qids`.

        Raises:
            QPeftError: As for `search`, or the numbers of queries and qids differ.
        """
        check_count(k, "k")
        if len(queries) != len(qids):
            raise QPeftError(f"{counted(len(queries), 'query')} and {counted(len(qids), 'qid')}: give a qid for each.")
        wanted = {**self._wanted(self.searcher.batch_search, k), "threads": threads, **options}
        found = self.searcher.batch_search(list(queries), list(qids), **wanted)
        requests = [(query, found.get(qid, [])) for query, qid in zip(queries, qids, strict=True)]
        ranked = self.reranker.rerank_batch(requests, k=k, searcher=self._stored(), corpus=self.corpus)
        return dict(zip(qids, ranked, strict=True))

    def doc(self, docid: str) -> Any:
        """The stored document of a docid, from the first stage's `doc`."""
        stored = self._stored()
        return None if stored is None else stored.doc(docid)

    def _wanted(self, search: Any, k: int) -> dict[str, int]:
        """Number of hits to find; `k0` is what a hybrid searcher asks of its two searchers."""
        names = inspect.signature(search).parameters
        return {name: max(self.depth, k) for name in ("k", "k0") if name in names}

    def _stored(self) -> Any:
        """The searcher that has documents; that of a hybrid searcher is its sparse half."""
        halves = (self.searcher, getattr(self.searcher, "sparse_searcher", None))
        return next((half for half in halves if gives_documents(half)), None)
