"""The service itself: models by name, indexes by name, and what is asked of them."""

import asyncio
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.service.calls import Calls
from pyserini_qpeft.service.checks import check_size, read_query
from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig
from pyserini_qpeft.service.errors import ServiceError, too_large, unknown_name
from pyserini_qpeft.service.logs import note, note_scoring
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.names import (
    Served,
    ServedCascade,
    find_served,
    scoring_settings,
    served_indexes,
    served_models,
)
from pyserini_qpeft.service.process import WorkerProcess
from pyserini_qpeft.service.processes import Processes
from pyserini_qpeft.service.queue import Job
from pyserini_qpeft.service.reranks import NO_CHOICES, Choices, Reranking, Reranks
from pyserini_qpeft.service.scheduler import Scheduler
from pyserini_qpeft.service.searching import SearchHit
from pyserini_qpeft.service.shared_scoring import Terms

if TYPE_CHECKING:
    from pyserini_qpeft.calibration.calibration import Calibration
    from pyserini_qpeft.reranking.explanation import Explanation

CLIENT: ContextVar[str] = ContextVar("CLIENT", default="")
"""Whose request is at hand; the server sets it for each request. Clients share the model fairly."""

SCORING = "pyserini_qpeft.service.scoring:Scoring"
SEARCHING = "pyserini_qpeft.service.searching:Searching"


class Service:
    """Scores, searches and explains. Used as `async with Service(config) as service`, once.

    Models and indexes live in processes of their own. The weights of a base model are in memory once, whatever the
    number of adapters and stages.

    Args:
        config: What is served.

    Attributes:
        config: As given.
        models: The models and the cascade by name; the first is the default.
        indexes: The folders and prebuilt names of the indexes, by name; the first is the default.
        metrics: What the service counts.

    Raises:
        QPeftError: Two models or two indexes have the same name.
    """

    def __init__(self, config: ServiceConfig | None = None) -> None:
        self.config = config or ServiceConfig()
        self.models = served_models(self.config)
        self.indexes = served_indexes(self.config)
        self.metrics = Metrics()
        self._scoring = WorkerProcess("scoring", SCORING, scoring_settings(self.models))
        searching = WorkerProcess("search", SEARCHING, self.indexes)
        self._processes = Processes(self._scoring, searching if self.indexes else None)
        self._scheduler = Scheduler(self._scoring, self.config, self.metrics)
        self._searches = Calls(searching, self.limits, self.metrics)
        explanations = Calls(self._scoring, self.limits, self.metrics)
        self._reranks = Reranks(self._scheduler, self._scoring, explanations, self.limits.connections)
        self._entered = 0
        self._stopped = False

    async def __aenter__(self) -> Self:
        if self._stopped:
            raise QPeftError("this Service has stopped, and cannot start again: make a new one of its config.")
        self._entered += 1
        if self._entered == 1:
            await self._start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._entered -= 1
        if self._entered == 0:
            await self._stop()

    @property
    def limits(self) -> LimitsConfig:
        """What is refused."""
        return self.config.limits

    @property
    def workers(self) -> dict[str, WorkerProcess]:
        """The processes by name."""
        return self._processes.by_name

    @property
    def ready(self) -> bool:
        """Whether all models and indexes are loaded."""
        return all(worker.ready for worker in self.workers.values())

    @property
    def waiting(self) -> int:
        """How many documents wait to be scored."""
        return self._scheduler.queue.documents

    async def rerank(
        self,
        model: str | None,
        query: str,
        hits: Sequence[str | Candidate],
        choices: Choices = NO_CHOICES,
        *,
        text_tokens: int | None = None,
        milliseconds: float | None = None,
        raw: bool = False,
    ) -> Reranking:
        """Rerank the hits of one query. Its pairs are scored in turns that it shares with other requests.

        Args:
            model: Name of a served model or cascade, or a cascade of served models; None is the default.
            query: The query.
            hits: Texts, or candidates with first-stage scores, best first.
            choices: What the request chooses for itself.
            text_tokens: The most tokens of each text that are read; None is the model's own limit.
            milliseconds: Time limit, if it is shorter than that of the model; it begins now.
            raw: Whether probabilities are not wanted, which saves a pass through the model for each new query.

        Raises:
            ServiceError: There is no such model (404), a limit is exceeded (413), the queue is full (429), or there is
                no answer in time (503).
            QPeftError: The query is empty, or too long for the model.
        """
        served = self.served(model)
        query = read_query(query)
        own = served.milliseconds if isinstance(served, ServedCascade) else served.config.milliseconds
        limits = [limit for limit in (own, milliseconds) if limit is not None]
        deadline = Deadline.after(min(limits)) if limits else None
        with_priors = not raw or self.config.rerank.minimum_probability is not None
        terms = Terms(CLIENT.get(), text_tokens, deadline, with_priors)
        texts = [hit if isinstance(hit, str) else hit.text for hit in hits]
        characters = check_size(self.limits, self.metrics, [query], texts)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self.limits.request_seconds):
                reranking = await self._reranks.rerank(served, query, hits, choices, terms)
        except TimeoutError:
            raise self._scheduler.timed_out() from None
        note_scoring(served.name, len(hits), characters, reranking.report.tokens, began)
        return reranking

    async def score_pairs(
        self,
        model: str | None,
        pairs: Sequence[tuple[str, str]],
        *,
        text_tokens: int | None = None,
        raw: bool = False,
    ) -> "tuple[Job, Calibration | None]":
        """Score pairs, which may have several queries, each for itself; by the last stage of a cascade.

        Args:
            model: As for `rerank`.
            pairs: (query, passage) texts.
            text_tokens: As for `rerank`.
            raw: As for `rerank`.

        Returns:
            The scored pairs in their order, and the calibration of the model.

        Raises:
            ServiceError: As for `rerank`.
            QPeftError: As for `rerank`.
        """
        served = self.served(model)
        name = served.stages[-1].name if isinstance(served, ServedCascade) else served.name
        queries = {query: read_query(query) for query in dict.fromkeys(query for query, _ in pairs)}
        pairs = [(queries[query], text) for query, text in pairs]
        characters = check_size(self.limits, self.metrics, list(queries), [text for _, text in pairs])
        began = time.perf_counter()
        job = await self._scheduler.score(name, pairs, CLIENT.get(), text_tokens=text_tokens, with_priors=not raw)
        note_scoring(served.name, len(pairs), characters, sum(job.tokens), began)
        return job, self._scoring.info.models[name].config.calibration

    async def search(self, index: str | None, query: str, k: int = 10) -> list[SearchHit]:
        """The hits of an index, best first.

        Args:
            index: Name of an index; None is the default.
            query: The query.
            k: How many hits are found at most.

        Raises:
            ServiceError: There is no such index (404), more hits are asked for than may be scored (413), too many
                searches wait (429), or there is no answer in time (503).
        """
        name = next(iter(self.indexes), None) if index is None else index
        if name is None or name not in self.indexes:
            raise unknown_name("index", index, list(self.indexes))
        if k > self.limits.documents:
            raise too_large(f"at most {self.limits.documents} hits may be asked for, not {k}.", "documents")
        note(index=name)
        if self._processes.search_failed:
            raise ServiceError(f"the index {name!r} could not be opened.", status=503, code="not_opened")
        hits: list[SearchHit] = await self._searches.call("search", name, read_query(query), k)
        return hits

    async def explain(self, model: str | None, query: str, text: str) -> "Explanation":
        """The parts of one likelihood: hints, and the score of each query token with and without them.

        Args:
            model: Name of a served model; None is the default.
            query: The query.
            text: The passage.

        Raises:
            ServiceError: As for `rerank`.
            QPeftError: As for `rerank`.
        """
        query, text = read_query(query), as_text(text, "the text")
        check_size(self.limits, self.metrics, [query], [text])
        return await self._reranks.explain(self.served(model), query, text, CLIENT.get())

    def served(self, model: str | None) -> Served:
        """What a request names: a model, a cascade, or a cascade of served models; see `find_served`."""
        return find_served(model, self.models, self.config)

    def metrics_text(self) -> bytes:
        """The counters in Prometheus's text format."""
        return self.metrics.text({name: (worker.ready, worker.restarts) for name, worker in self.workers.items()})

    async def _start(self) -> None:
        try:
            await self._processes.start()
        except BaseException:
            await self._stop()
            raise
        self._scheduler.start()

    async def _stop(self) -> None:
        self._stopped = True
        await self._scheduler.stop()
        self._reranks.stop()
        await self._processes.stop()
