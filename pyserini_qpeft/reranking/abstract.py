"""The calls that are the same for every reranker, all made of `rerank_query_batches`."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyserini_qpeft.candidates.hit_lists import listed
from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.progress import passage_bar
from pyserini_qpeft.reranking.query_batches import query_batches
from pyserini_qpeft.reranking.requests import Request, Reranked, rescored, text_source
from pyserini_qpeft.scoring.report import ScoringReport


class AbstractReranker(ABC):
    """A reranker that defines how query batches are reranked. With `explain` and `settings` it is a `Reranker`.

    Attributes:
        config: Which hits are rescored, and how scores become a ranking.
        last_report: Counts and time of the call that began last.
    """

    config: RerankConfig
    last_report: ScoringReport

    @property
    @abstractmethod
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages."""

    @abstractmethod
    def rerank_query_batches(
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        """Rerank query batches, each scored as a whole, and yield the list of each query in order.

        Args:
            batches: The requests of each query batch, see `query_batches`.
            options: What is asked beyond the lists. None: all hits are returned, and each brings its text.
        """

    def passages(self, hits: int) -> int:
        """How many passages are scored at most for a query with this many hits."""
        return hits if self.config.depth is None else min(hits, self.config.depth)

    def needed_texts(self, hits: Sequence[Any]) -> int:
        """How many of a query's first hits need a text, because they may be rescored.

        Args:
            hits: All hits of the query, in any form that `rerank` takes as a list.
        """
        return rescored(hits, self.config)

    def rerank(
        self, query: str, hits: Any, *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> RankedHits:
        """Rerank the hits of one query.

        Args:
            query: The query.
            hits: First-stage hits, best first: those of any Pyserini searcher, `(docid, text, score)`, anything with
                `docid` and `score`, or texts alone, whose docids are their places from 0. Also a DataFrame, or a
                mapping from docid to score or to text. They are not changed. Fusion leaves the list to the likelihood
                if a score is missing, NaN or infinite, or all are equal, and warns once a call, but not if only texts
                are given.
            k: How many hits to return; None is all.
            searcher: Gives the texts of hits that have none: anything whose `doc(docid)` gives a Lucene document.
            corpus: The same, as a mapping from docid to text, such as `Corpus`, or a list of texts.

        Returns:
            Hits by descending score; equal scores keep the first stage's order. The list shows itself as a table in a
            notebook, and `to_dataframe()` gives a DataFrame.

        Raises:
            QPeftError: The text of a hit is missing, or the model's score of it is not finite; the docid is named.
                The query or a text is not a string, or `k` is negative.
        """
        query = as_text(query, "the query")
        return self.rerank_batch([(query, hits)], k=k, searcher=searcher, corpus=corpus)[0]

    async def arerank(
        self, query: str, hits: Any, *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> RankedHits:
        """`rerank` in a thread, so that an event loop continues meanwhile.

        Calls may run at the same time; the model scores one batch at a time. A cancelled call ends in the background.
        """
        return await asyncio.to_thread(self.rerank, query, hits, k=k, searcher=searcher, corpus=corpus)

    def rerank_batch(
        self, requests: Iterable[Request], *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> list[RankedHits]:
        """Rerank the hits of many queries, in batches across queries; see `rerank`."""
        asked = [(query, listed(hits)) for query, hits in requests]
        total = sum(self.passages(len(hits)) for _, hits in asked)
        with passage_bar(total, shown=self.config.progress) as bar:
            batches = self._query_batches(asked)
            options = CallOptions(k=k, texts=text_source(searcher, corpus), on_scored=bar.update)
            return [one.hits for one in self.rerank_query_batches(batches, options)]

    def rerank_stream(
        self, requests: Iterable[Request], *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> Iterator[RankedHits]:
        """Like `rerank_batch`, but yields the hits of each query when they are done, in bounded memory."""
        batches = self._query_batches((query, listed(hits)) for query, hits in requests)
        for reranked in self.rerank_query_batches(batches, CallOptions(k=k, texts=text_source(searcher, corpus))):
            yield reranked.hits

    def _query_batches(self, requests: Iterable[tuple[str, list[Any]]]) -> Iterator[list[tuple[str, list[Any]]]]:
        return query_batches(requests, lambda request: self.passages(len(request[1])), self.query_batch_pairs)
