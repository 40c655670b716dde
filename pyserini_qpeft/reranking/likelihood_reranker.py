"""What is the same for rerankers that rank by the likelihoods of one model, wherever the model is."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.call import RerankCall
from pyserini_qpeft.reranking.deadline import Deadline, Pace
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.pair_scoring import PairScoring
from pyserini_qpeft.reranking.requests import Request, Reranked

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


class LikelihoodReranker(AbstractReranker):
    """A reranker that defines how pairs are scored.

    Attributes:
        pace: How long scoring takes, for time limits.
        model: The loaded model; None if it is in another process.
    """

    pace: Pace
    model: Any = None

    @abstractmethod
    def pair_scoring(self) -> PairScoring:
        """What scores the pairs."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Everything that scores and rankings depend on, by name; see `fingerprint`."""

    @abstractmethod
    def explain(self, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""

    def call(self, options: CallOptions) -> RerankCall:
        """A new call of this reranker."""
        return RerankCall(self.pair_scoring(), self.config, options)

    def rerank_query_batches(
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        """See `AbstractReranker.rerank_query_batches`."""
        options = options or CallOptions()
        self.last_report = options.report
        call = self.call(options)
        for batch in batches:
            if options.deadline is None and self.config.milliseconds is None:
                yield from call.rank([call.ask(request) for request in batch])
                continue
            for request in batch:
                end = options.deadline or Deadline.after(self.config.milliseconds or 0)
                yield call.rank_in_time(call.ask(request), end, self.pace)
