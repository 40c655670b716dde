"""Reranking of one request, by whatever reranker its model name means."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.cascade.reranker import CascadeReranker
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Pace
from pyserini_qpeft.reranking.fusion import FusionMethod, choose_fusion
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.requests import Asked
from pyserini_qpeft.scoring.report import ScoringReport
from pyserini_qpeft.service.calls import Calls
from pyserini_qpeft.service.names import Served, ServedCascade, ServedModel
from pyserini_qpeft.service.process import WorkerProcess
from pyserini_qpeft.service.scheduler import Scheduler
from pyserini_qpeft.service.shared_scoring import KnownScoring, ServiceReranker, SharedRequest, SharedScoring, Terms

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Choices:
    """What a request chooses for itself; None is what the model was configured with.

    Attributes:
        depth: How many hits are rescored.
        fusion: Method of fusion; `none` ranks by the likelihood alone.
        fusion_weight: Weight of the likelihood in the fusion.
    """

    depth: int | None = None
    fusion: FusionMethod | Literal["none"] | None = None
    fusion_weight: float | None = None

    def chosen(self, config: RerankConfig, model: str | None) -> RerankConfig:
        """A configuration with these choices.

        Args:
            config: Its fusion weight is set.
            model: Name of the base model.

        Raises:
            QPeftError: A fusion weight is chosen without fusion.
        """
        fusion = choose_fusion(config.fusion, self.fusion, self.fusion_weight)
        depth = config.depth if self.depth is None else self.depth
        return replace(config, depth=depth, fusion=fusion).for_model(model)


NO_CHOICES = Choices()


@dataclass(frozen=True, slots=True)
class Reranking:
    """What came out.

    Attributes:
        hits: In rank order.
        report: What was scored.
        stages: Names of the models of a cascade, first to last; of no cascade: empty.
    """

    hits: RankedHits
    report: ScoringReport
    stages: tuple[str, ...] = ()

    def stage_of(self, place: int) -> str | None:
        """The last model of the cascade that scored a hit; None without a cascade, or if none did.

        Args:
            place: Its place in `hits`.
        """
        scores = self.hits[place].stages or ()
        own = [name for name, score in zip(self.stages, scores, strict=True) if score.likelihood is not None]
        return own[-1] if own else None


class Reranks:
    """Reranks requests. Their pairs are scored in turns that they share.

    A plain model scores all pairs of a request at once, so that its requests stay in the event loop. A cascade,
    adaptive depth or a time limit decides by the scores so far what is scored next, and runs in a thread of its own.

    Args:
        scheduler: Scores pairs.
        worker: The scoring process, whose `info` is a `ScoringInfo`.
        explanations: Explains pairs.
        most: How many requests may be in threads at a time.
    """

    def __init__(self, scheduler: Scheduler, worker: WorkerProcess, explanations: Calls, most: int) -> None:
        self._scheduler = scheduler
        self._worker = worker
        self._explanations = explanations
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="rerank")
        self._paces: dict[str, Pace] = {}

    def stop(self) -> None:
        """End the threads. No request may be in them."""
        self._threads.shutdown(wait=False)

    async def rerank(
        self, served: Served, query: str, hits: Sequence[str | Candidate], choices: Choices, terms: Terms
    ) -> Reranking:
        """Rerank the hits of one query.

        Args:
            served: By what.
            query: The query.
            hits: Texts, or candidates with first-stage scores, best first.
            choices: What the request chooses for itself.
            terms: On what terms it is scored.

        Raises:
            ServiceError: As for `Scheduler.score`.
            QPeftError: The request chooses what a cascade does not let it choose.
        """
        options = CallOptions(report=ScoringReport(), deadline=terms.deadline)
        if isinstance(served, ServedModel) and not served.adaptive and terms.deadline is None:
            config = self._config(served, choices)
            asked = _asked(query, hits, config)
            pairs = [(query, one.text) for one in asked.head]
            job = await self._scheduler.score(
                served.name, pairs, terms.client, text_tokens=terms.text_tokens, with_priors=terms.with_priors
            )
            reranker = ServiceReranker(config, KnownScoring(job), self._pace(served.name))
            (one,) = reranker.call(options).rank([asked])
            return Reranking(one.hits, options.report)

        def reranked(reranker: AbstractReranker) -> RankedHits:
            (one,) = reranker.rerank_query_batches([[(query, hits)]], options)
            return one.hits

        found = await self._in_thread(served, choices, terms, reranked)
        stages = served.stages if isinstance(served, ServedCascade) else ()
        return Reranking(found, options.report, tuple(stage.name for stage in stages))

    async def explain(self, served: Served, query: str, text: str, client: str) -> "Explanation":
        """The parts of one likelihood; of a cascade, of its last stage."""
        return await self._in_thread(
            served,
            NO_CHOICES,
            Terms(client),
            lambda reranker: reranker.explain(query, text),  # type: ignore[attr-defined]
        )

    async def _in_thread[Result](
        self, served: Served, choices: Choices, terms: Terms, work: Callable[[AbstractReranker], Result]
    ) -> Result:
        request = SharedRequest(self._scheduler, self._explanations, terms)
        reranker = self._reranker(served, choices, request)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, reranker)
        except asyncio.CancelledError:
            request.cancel()
            raise

    def _reranker(self, served: Served, choices: Choices, request: SharedRequest) -> AbstractReranker:
        def stage(model: ServedModel, config: RerankConfig) -> ServiceReranker:
            return ServiceReranker(config, SharedScoring(model.name, request), self._pace(model.name))

        if isinstance(served, ServedModel):
            alone = stage(served, self._config(served, choices))
            if not served.adaptive:
                return alone
            return AdaptiveReranker(alone, self._worker.info.models[served.name].rule)
        if choices != NO_CHOICES:
            raise QPeftError("depth and fusion are those of the cascade's stages: leave them out of the request.")
        return CascadeReranker([stage(one, self._settled(one)) for one in served.stages])

    def _config(self, served: ServedModel, choices: Choices) -> RerankConfig:
        """The configuration of a model for one request."""
        config: RerankConfig = self._worker.info.models[served.name].config
        return replace(choices.chosen(config, served.model.model), milliseconds=None)

    def _settled(self, stage: ServedModel) -> RerankConfig:
        """The configuration of a stage, with the fusion weight and the calibration that come with its model."""
        loaded: RerankConfig = self._worker.info.models[stage.name].config
        return replace(stage.config.for_model(stage.model.model), calibration=loaded.calibration)

    def _pace(self, name: str) -> Pace:
        most = self._worker.info.models[name].text_tokens
        return self._paces.setdefault(name, Pace(most))


def _asked(query: str, hits: Sequence[str | Candidate], config: RerankConfig) -> Asked:
    """The query with the hits that are rescored, and its tail. Unlike `ask`, it knows what the hits are."""
    head = [Candidate(str(place), hit, math.nan) if isinstance(hit, str) else hit for place, hit in enumerate(hits)]
    asked = Asked(query, head, [], scored=not all(isinstance(hit, str) for hit in hits))
    return asked.until(config.rescored([one.score for one in head]))
