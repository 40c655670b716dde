"""What every reranker can do. The rest of the package uses rerankers through this protocol only."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.requests import Request, Reranked

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


class Reranker(Protocol):
    """First-stage hits in, the same hits out in a better order.

    `QPeftReranker` reranks with one model. A reranker that is made of others (a cascade, for example) fulfils this
    protocol too, so that it can be stored as a run, resumed, served and explained, and can be a part of another one.
    `AbstractReranker` has the calls that are the same for all.
    """

    @property
    def config(self) -> RerankConfig:
        """Which hits are rescored (`depth`), and how scores become a ranking."""
        ...

    @property
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages, see `passages` and
        `query_batches`."""
        ...

    def passages(self, hits: int) -> int:
        """How many passages are scored at most for a query with this many hits."""
        ...

    def needed_texts(self, hits: Sequence[Any]) -> int:
        """How many of a query's first hits need a text, because they may be rescored."""
        ...

    def rerank(
        self, query: str, hits: Any, *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> RankedHits:
        """Rerank the hits of one query; see `AbstractReranker.rerank`."""
        ...

    def rerank_batch(
        self, requests: Iterable[Request], *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> list[RankedHits]:
        """Rerank the hits of many queries."""
        ...

    def rerank_stream(
        self, requests: Iterable[Request], *, k: int | None = None, searcher: Any = None, corpus: Any = None
    ) -> Iterator[RankedHits]:
        """Rerank the hits of many queries, and yield those of each query when they are done."""
        ...

    def rerank_query_batches(
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        """Rerank query batches, each as a whole, and yield the list of each query in order; see
        `AbstractReranker.rerank_query_batches`."""
        ...

    def explain(self, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""
        ...

    def settings(self) -> dict[str, Any]:
        """Everything that a reranked run depends on, as JSON values by name; see `fingerprint`.

        An unfinished run is continued only by a reranker with equal settings.
        """
        ...
