"""rank_llm's interface of model coordinators, for its ``Request`` and ``Candidate``.

Use it as ``rank_llm.rerank.Reranker(RankLLMReranker(reranker))``. Like rank_llm's own ``IdentityReranker``, the class
is not a subclass of ``RankLLM``, whose constructor requires a prompt template and an inference handler.
"""

import asyncio
import copy
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.checks import check_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.tail import score_tail

if TYPE_CHECKING:
    from rank_llm.data import Candidate, Request, Result

    from pyserini_qpeft.data.records import RankedHit
    from pyserini_qpeft.reranking.protocol import Reranker


class RankLLMReranker:
    """A model coordinator for rank_llm's requests; its results contain deep copies of the candidates.

    Args:
        reranker: Scores the passages.
        name: The name that rank_llm uses in the names of its output files.
    """

    def __init__(self, reranker: "Reranker", name: str = "qpeft") -> None:
        self.reranker = reranker
        self.name = name
        self._one_at_a_time = threading.Lock()

    def rerank_batch(
        self,
        requests: "Sequence[Request]",
        rank_start: int = 0,
        rank_end: int = 100,
        shuffle_candidates: bool = False,
        logging: bool = False,
        **kwargs: Any,
    ) -> "list[Result]":
        """Rerank the candidates from `rank_start` to `rank_end` of each request, all requests together.

        Args:
            requests: Queries with their candidates in first-stage order; they are not changed.
            rank_start: Index of the first candidate that is reranked.
            rank_end: Index of the first candidate after those that are reranked.
            shuffle_candidates: No effect: the ranking does not depend on the order of the candidates, ties aside.
            logging: No effect: there is no conversation with the model to show.
            **kwargs: `top_k_retrieve` limits `rank_end`; rank_llm's other options have no effect.

        Returns:
            One result for each request. The other candidates keep their ranks, and get scores above or below those of
            the reranked ones: their first-stage scores have another scale and would change the order.

        Raises:
            QPeftError: Not 0 <= rank_start <= rank_end, `top_k_retrieve` is negative, or a candidate has no text.
        """
        if not 0 <= rank_start <= rank_end:
            raise QPeftError(
                f"rank_start={rank_start} and rank_end={rank_end} are not a range: give 0 <= rank_start <= rank_end."
            )
        check_whole(kwargs.get("top_k_retrieve"), "top_k_retrieve", 0)
        rank_end = max(rank_start, min(rank_end, kwargs.get("top_k_retrieve") or rank_end))
        slices = [(request.query.text, request.candidates[rank_start:rank_end]) for request in requests]
        with self._one_at_a_time:
            rankings = self.reranker.rerank_batch(slices)
        return [
            _result(request, rank_start, rank_end, ranked) for request, ranked in zip(requests, rankings, strict=True)
        ]

    def rerank(self, request: "Request", *args: Any, **kwargs: Any) -> "Result":
        """Rerank one request; the other arguments are those of :meth:`rerank_batch`."""
        return self.rerank_batch([request], *args, **kwargs)[0]

    async def rerank_batch_async(self, requests: "Sequence[Request]", *args: Any, **kwargs: Any) -> "list[Result]":
        """Run :meth:`rerank_batch` in a thread, one call at a time, so that the event loop is not blocked."""
        return await asyncio.to_thread(self.rerank_batch, requests, *args, **kwargs)

    async def rerank_async(self, request: "Request", *args: Any, **kwargs: Any) -> "Result":
        """Run :meth:`rerank` in a thread, one call at a time, so that the event loop is not blocked."""
        return await asyncio.to_thread(self.rerank, request, *args, **kwargs)

    def get_name(self) -> str:
        """Return the name that rank_llm shows."""
        return self.name

    def get_output_filename(self, top_k_candidates: int, dataset_name: str | None, *_: Any, **__: Any) -> str:
        """Return the stem of the names of the files that ``Reranker.write_rerank_results`` writes."""
        parts = (self.name, str(top_k_candidates), dataset_name, datetime.now().isoformat())
        return "_".join(part for part in parts if part)


def _result(request: "Request", rank_start: int, rank_end: int, ranked: "Sequence[RankedHit]") -> "Result":
    """Copy a request's candidates: those before `rank_start`, the reranked ones, and those from `rank_end` on."""
    from rank_llm.data import Result

    candidates = copy.deepcopy(request.candidates)
    before, chosen, after = candidates[:rank_start], candidates[rank_start:rank_end], candidates[rank_end:]
    reranked = []
    for hit in ranked:
        candidate = chosen[hit.first_stage_rank - 1]
        candidate.score = float(hit.score)
        reranked.append(candidate)
    if reranked:
        scores = [candidate.score for candidate in reranked]
        _rescore(before, [-score for score in reversed(score_tail([-score for score in scores], len(before)))])
        _rescore(after, score_tail(scores, len(after)))
    return Result(query=copy.deepcopy(request.query), candidates=[*before, *reranked, *after], invocations_history=[])


def _rescore(candidates: "Sequence[Candidate]", scores: Sequence[float]) -> None:
    for candidate, score in zip(candidates, scores, strict=True):
        candidate.score = score
