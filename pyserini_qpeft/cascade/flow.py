"""Query batches on their way through the stages of a cascade."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, StageScore
from pyserini_qpeft.reranking.protocol import Reranker
from pyserini_qpeft.reranking.requests import Request, Reranked


@dataclass(frozen=True, slots=True)
class InStages:
    """A query with its hits after some stages.

    Attributes:
        query: The query.
        hits: Before the first stage the hits as they were given, then ranked hits with texts.
        hints: The hint tokens of each hit in the last of these stages, or None.
        passages: How many passages all these stages have scored.
        ranked: Whether a stage has ranked the hits.
    """

    query: str
    hits: Sequence[Any]
    hints: list[list[str] | None] | None = None
    passages: int = 0
    ranked: bool = False

    def reranked(self) -> Reranked:
        """The final list."""
        return Reranked(RankedHits(self.hits), self.hints, self.passages)


def through(stage: Reranker, batches: Iterable[Sequence[InStages]], **options: Any) -> Iterator[list[InStages]]:
    """Send query batches through a stage. A batch is taken only when its lists are asked for.

    Args:
        stage: The stage.
        batches: The queries of each batch with the hits of the stage before.
        **options: Passed on to `rerank_query_batches`.

    Yields:
        The same batches with the hits of this stage.
    """
    sent: deque[Sequence[InStages]] = deque()

    def requests() -> Iterator[list[Request]]:
        for batch in batches:
            sent.append(batch)
            yield [(one.query, one.hits) for one in batch]

    done: list[InStages] = []
    for reranked in stage.rerank_query_batches(requests(), **options):
        while not sent[0]:
            sent.popleft()
        done.append(_after(sent[0][len(done)], reranked))
        if len(done) == len(sent[0]):
            sent.popleft()
            yield done
            done = []


def _after(before: InStages, reranked: Reranked) -> InStages:
    hits = [_with_own_score(hit) for hit in reranked.hits]
    if before.ranked:
        hits = [_joined(before.hits[hit.first_stage_rank - 1], hit) for hit in hits]
    return InStages(before.query, hits, reranked.hints, before.passages + reranked.passages, ranked=True)


def _with_own_score(hit: RankedHit) -> RankedHit:
    """The hit with the scores of its stage, or of its stages if the stage is a cascade."""
    own = (StageScore(hit.rank, hit.score, hit.likelihood),)
    return replace(hit, stages=hit.stages if hit.stages is not None else own)


def _joined(before: RankedHit, hit: RankedHit) -> RankedHit:
    """The hit with the score and rank of the first-stage searcher, and with the scores of the stages before."""
    return replace(
        hit,
        first_stage_score=before.first_stage_score,
        first_stage_rank=before.first_stage_rank,
        text=before.text if hit.text is None else hit.text,
        stages=(*(before.stages or ()), *(hit.stages or ())),
    )
