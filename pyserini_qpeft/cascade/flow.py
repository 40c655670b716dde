"""Query batches on their way through the stages of a cascade."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, StageScore
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.protocol import Reranker
from pyserini_qpeft.reranking.requests import Request, Reranked


@dataclass(frozen=True, slots=True)
class InStages:
    """A query with its list after some stages.

    Attributes:
        query: The query.
        given: The hits of the first-stage searcher.
        ranked: The hits after these stages; None before the first.
        hints: The hint tokens of each hit in the last of these stages, or None.
        passages: How many passages all these stages have scored.
        prior: Likelihood of the query without a passage under the last of these models, or None.
    """

    query: str
    given: Sequence[Any]
    ranked: Sequence[RankedHit] | None = None
    hints: list[list[str] | None] | None = None
    passages: int = 0
    prior: float | None = None

    def request(self) -> Request:
        """What the next stage is asked: the hits in the order, and with the scores, of the last stage."""
        if self.ranked is None:
            return self.query, self.given
        return self.query, [_sent(self.given[hit.first_stage_rank - 1], hit) for hit in self.ranked]

    def after(self, reranked: Reranked) -> "InStages":
        """The same query after one more stage."""
        hits = [self._joined(hit) for hit in reranked.hits]
        passages = self.passages + reranked.passages
        return InStages(self.query, self.given, hits, reranked.hints, passages, reranked.prior)

    def reranked(self) -> Reranked:
        """The final list."""
        return Reranked(RankedHits(self.ranked or ()), self.hints, self.passages, self.prior)

    def _joined(self, hit: RankedHit) -> RankedHit:
        """A hit of a stage, with its scores after the stages before."""
        own = hit.stages if hit.stages is not None else (StageScore(hit.rank, hit.score, hit.likelihood),)
        if self.ranked is None:
            return replace(hit, stages=own)
        before = self.ranked[hit.first_stage_rank - 1]
        stages = (*(before.stages or ()), *own)
        if hit.likelihood is None:
            return replace(before, score=hit.score, rank=hit.rank, likelihood=None, probability=None, stages=stages)
        return replace(
            hit,
            first_stage_score=before.first_stage_score,
            first_stage_rank=before.first_stage_rank,
            stages=stages,
        )


def through(stage: Reranker, batches: Iterable[Sequence[InStages]], options: CallOptions) -> Iterator[list[InStages]]:
    """Send query batches through a stage. A batch is taken only when its lists are asked for.

    Args:
        stage: The stage.
        batches: The queries of each batch after the stage before.
        options: Passed on to `rerank_query_batches`.

    Yields:
        The same batches after this stage.
    """
    sent: deque[Sequence[InStages]] = deque()

    def requests() -> Iterator[list[Request]]:
        for batch in batches:
            sent.append(batch)
            yield [one.request() for one in batch]

    done: list[InStages] = []
    for reranked in stage.rerank_query_batches(requests(), options):
        while not sent[0]:
            sent.popleft()
        done.append(sent[0][len(done)].after(reranked))
        if len(done) == len(sent[0]):
            sent.popleft()
            yield done
            done = []


def _sent(given: Any, hit: RankedHit) -> Any:
    """A hit for the next stage. A candidate stays one, because it may have `parts`, which a hit does not have."""
    return replace(given, score=hit.score) if isinstance(given, Candidate) else hit
