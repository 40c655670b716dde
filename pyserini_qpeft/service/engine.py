"""The service itself: models by name, indexes by name, and what is asked of them."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.calls import Calls
from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig
from pyserini_qpeft.service.errors import ServiceError, too_large, unknown_name
from pyserini_qpeft.service.logs import note
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.names import served_indexes, served_models
from pyserini_qpeft.service.process import WorkerProcess
from pyserini_qpeft.service.queue import Job
from pyserini_qpeft.service.scheduler import Scheduler
from pyserini_qpeft.service.scoring import ScoringSettings
from pyserini_qpeft.service.searching import SearchHit

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation

logger = logging.getLogger(__name__)

CLIENT: ContextVar[str] = ContextVar("CLIENT", default="")
"""Whose request is at hand; the server sets it for each request. Clients share the model fairly."""

SCORING = "pyserini_qpeft.service.scoring:Scoring"
SEARCHING = "pyserini_qpeft.service.searching:Searching"


class Service:
    """Scores, searches and explains. Used as `async with Service(config) as service`.

    Models and indexes live in processes of their own. The weights of the base model are in memory once, whatever the
    number of adapters.

    Args:
        config: What is served.

    Attributes:
        config: As given.
        models: The models by name; the first is the default.
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
        self._scoring = WorkerProcess("scoring", SCORING, self._scoring_settings())
        self._searching = WorkerProcess("search", SEARCHING, self.indexes)
        self._scheduler = Scheduler(self._scoring, self.config, self.metrics)
        self._opening: asyncio.Task[None] | None = None
        self._searches = Calls(self._searching, self.limits, self.metrics)
        self._explanations = Calls(self._scoring, self.limits, self.metrics)
        self._entered = 0

    def _scoring_settings(self) -> ScoringSettings:
        adapters = {name: model.adapter for name, model in self.models.items()}
        return ScoringSettings(self.config.model, self.config.scoring, adapters)

    async def __aenter__(self) -> Self:
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
        return {worker.name: worker for worker in (self._scoring, *([self._searching] if self.indexes else []))}

    @property
    def ready(self) -> bool:
        """Whether all models and indexes are loaded."""
        return all(worker.ready for worker in self.workers.values())

    async def scored(
        self, model: str | None, pairs: Sequence[tuple[str, str]], *, text_tokens: int | None = None
    ) -> Job:
        """Score the pairs of one request, in turns that it shares with other requests.

        Args:
            model: Name of a served model; None is the default.
            pairs: (query, passage) texts.
            text_tokens: The most tokens of each passage that are read; None is the model's own limit.

        Returns:
            The request with its `scores`, mean natural-log probabilities of the query's tokens in the order of the
            pairs, and its `tokens`.

        Raises:
            ServiceError: There is no such model (404), a limit is exceeded (413), the queue is full (429), or there is
                no answer in time (503).
            QPeftError: The query is empty, or too long for the model.
        """
        name = self.model_name(model)
        queries = {query: _query(query) for query in dict.fromkeys(query for query, _ in pairs)}
        pairs = [(queries[query], as_text(text, "a document")) for query, text in pairs]
        characters = self._check_size(list(queries), [text for _, text in pairs])
        began = time.perf_counter()
        job = await self._scheduler.score(name, pairs, CLIENT.get(), text_tokens)
        note(
            model=name,
            documents=len(pairs),
            characters=characters,
            tokens=job.tokens,
            scoring_seconds=round(time.perf_counter() - began, 4),
        )
        return job

    async def score(self, model: str | None, query: str, texts: Sequence[str]) -> list[float]:
        """The scores of `scored`: mean natural-log probability of the query's tokens given each text."""
        return (await self.scored(model, [(query, text) for text in texts])).scores

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
        if self._opening is not None and self._opening.done() and self._opening.exception() is not None:
            raise ServiceError(f"the index {name!r} could not be opened.", status=503, code="not_opened")
        hits: list[SearchHit] = await self._searches.call("search", name, _query(query), k)
        return hits

    async def explain(self, model: str | None, query: str, text: str) -> "Explanation":
        """The parts of one likelihood: hints, and the score of each query token with and without them.

        Args:
            model: Name of a served model; None is the default.
            query: The query.
            text: The passage.

        Raises:
            ServiceError: As for `scored`.
        """
        name = self.model_name(model)
        query, text = _query(query), as_text(text, "the text")
        self._check_size([query], [text])
        explanation: Explanation = await self._explanations.call("explain", name, query, text)
        return explanation

    def model_name(self, model: str | None) -> str:
        """The name of a served model; None is the default.

        Raises:
            ServiceError: There is no such model.
        """
        name = next(iter(self.models)) if model is None else model
        if name not in self.models:
            raise unknown_name("model", model, list(self.models))
        return name

    def metrics_text(self) -> bytes:
        """The counters in Prometheus's text format."""
        return self.metrics.text({name: (worker.ready, worker.restarts) for name, worker in self.workers.items()})

    async def _start(self) -> None:
        if self.indexes:
            self._opening = asyncio.create_task(self._searching.start())
        try:
            await self._scoring.start()
        except BaseException:
            await self._stop()
            raise
        self._scheduler.start()
        if self._opening is not None:
            self._opening.add_done_callback(_report)

    async def _stop(self) -> None:
        await self._scheduler.stop()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await asyncio.gather(*(worker.stop() for worker in self.workers.values()))

    def _check_size(self, queries: Sequence[str], texts: Sequence[str]) -> int:
        """The characters of a request.

        Raises:
            ServiceError: There are too many documents or characters.
        """
        limits = self.limits
        if len(texts) > limits.documents:
            self.metrics.refused("documents")
            raise too_large(
                f"{len(texts)} documents are more than the {limits.documents} of one request: send several requests.",
                "documents",
            )
        characters = sum(map(len, queries)) + sum(map(len, texts))
        if characters > limits.characters:
            self.metrics.refused("characters")
            raise too_large(
                f"{characters} characters are more than the {limits.characters} of one request: send shorter or fewer "
                "documents.",
                "characters",
            )
        return characters


def _query(query: str) -> str:
    query = as_text(query, "the query")
    if not query.strip():
        raise QPeftError("the query is empty: there is nothing to score.")
    return query


def _report(opening: "asyncio.Task[None]") -> None:
    if not opening.cancelled() and (error := opening.exception()) is not None:
        logger.error("the indexes could not be opened", extra={"fields": {"reason": str(error)}})
