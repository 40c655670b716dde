"""Turns the queue into work for the scoring process: shared turns, back-pressure, time limits."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from itertools import islice

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.errors import ServiceError, WorkerDiedError, WorkerFailedError
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.process import WorkerProcess
from pyserini_qpeft.service.queue import FairQueue, Job, Turn, estimated_costs
from pyserini_qpeft.service.scoring import TurnScores

logger = logging.getLogger(__name__)

_MOST_RETRY_SECONDS = 60
_LONGEST_LAST_TURN = 1.5
"""How much longer a turn may be if nothing is left after it. Two turns have more batches, and padding, than one."""


class Scheduler:
    """Scores requests in turns that they share.

    Args:
        worker: The scoring process, whose `info` is a `ScoringInfo`.
        config: Times and limits.
        metrics: Counts the work.

    Attributes:
        queue: The requests that wait.
    """

    def __init__(self, worker: WorkerProcess, config: ServiceConfig, metrics: Metrics) -> None:
        self.queue = FairQueue()
        self._worker = worker
        self._config = config
        self._metrics = metrics
        self._arrived = asyncio.Event()
        self._per_second: dict[str, float] = {}
        self._running = 0
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take turns."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Answer what was accepted, then end."""
        if self._loop is None:
            return
        deadline = time.monotonic() + self._config.limits.request_seconds
        while (self.queue.documents or self._running) and time.monotonic() < deadline and not self._loop.done():
            await asyncio.sleep(0.01)
        self._loop.cancel()
        await asyncio.wait([self._loop])

    async def score(
        self,
        model: str,
        pairs: Sequence[tuple[str, str]],
        client: str,
        *,
        text_tokens: int | None = None,
        deadline: Deadline | None = None,
        with_priors: bool = True,
        accepted: bool = False,
    ) -> Job:
        """Score pairs of one request.

        Args:
            model: Name of the model.
            pairs: (query, passage or document) texts.
            client: Whose request it is.
            text_tokens: The most tokens of each text that are read; None is the model's own limit.
            deadline: When the caller wants what is known then. None waits for all scores.
            with_priors: Whether the likelihoods of the queries without a text are wanted, for probabilities.
            accepted: Whether other pairs of this request were accepted before, so that these are not refused.

        Returns:
            The request with its likelihoods, which are NaN for pairs that were not scored before the deadline. If the
            caller is cancelled, its documents leave the queue.

        Raises:
            ServiceError: The queue is full (429), or the time is over (503).
            QPeftError: The query is empty or too long for the model.
        """
        most = self._worker.info.models[model].text_tokens
        limits = [limit for limit in (most, text_tokens) if limit is not None]
        costs = estimated_costs(pairs, min(limits, default=None))
        job = Job(model, pairs, client, costs, asyncio.get_running_loop().create_future(), text_tokens, with_priors)
        if not pairs:
            return job
        if not accepted:
            self._refuse_if_full(job)
        self.queue.add(job)
        self._metrics.waiting(self.queue.documents)
        self._arrived.set()
        seconds, left = self._config.limits.request_seconds, math.inf
        if deadline is not None:
            left = max(0.0, deadline.seconds_left())
        try:
            async with asyncio.timeout(min(seconds, left)):
                await job.done
        except TimeoutError:
            if seconds <= left:
                raise self.timed_out() from None
        finally:
            self.queue.remove(job)
            self._metrics.waiting(self.queue.documents)
        return job

    def timed_out(self) -> ServiceError:
        """The error of a request that was not answered in time."""
        return ServiceError(
            f"the request was not answered within {self._config.limits.request_seconds:g} seconds: send fewer "
            "documents, or try again later.",
            status=503,
            code="timeout",
            retry_after=self.retry_after(),
        )

    def retry_after(self) -> int:
        """Seconds until the work that waits now is done, by the speed so far."""
        seconds = sum(cost / self._per_second.get(model, cost or 1) for model, cost in self.queue.costs.items())
        return min(_MOST_RETRY_SECONDS, max(1, math.ceil(seconds)))

    def _refuse_if_full(self, job: Job) -> None:
        most, wanted = self._config.limits.queue_documents, len(job.pairs)
        if not self.queue.documents or self.queue.documents + wanted <= most:
            return
        own = self.queue.documents_of(job.client)
        others = self.queue.clients - (own > 0)
        if own + wanted <= most / (others + 1) and self.queue.documents + wanted <= 2 * most:
            return
        self._metrics.refused("queue_full")
        raise ServiceError(
            f"{self.queue.documents} documents wait already, and at most {most} may: try again later.",
            status=429,
            code="queue_full",
            retry_after=self.retry_after(),
        )

    async def _run(self) -> None:
        several = False
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            # A client that is alone would wait in vain.
            if several and not self._fills_a_batch():
                await asyncio.sleep(self._config.batch_wait_ms / 1000)
            requests: set[Job] = set()
            while (turn := self.queue.take(self._turn_cost)) is not None:
                requests.update(job for job, _ in turn.parts)
                self._running = 1
                try:
                    await self._score(turn)
                finally:
                    self._running = 0
            several = len(requests) > 1

    def _fills_a_batch(self) -> bool:
        """Whether the work that waits for some model fills a batch of it."""
        models = self._worker.info.models
        return any(cost >= models[model].batch_tokens for model, cost in self.queue.costs.items())

    def _turn_cost(self, model: str) -> int:
        """At least one batch, and more if the model does more in the time of a turn."""
        batch: int = self._worker.info.models[model].batch_tokens
        cost = max(batch, int(self._per_second.get(model, 0) * self._config.turn_seconds))
        waiting = self.queue.costs[model]
        return max(cost, waiting) if waiting <= _LONGEST_LAST_TURN * cost else cost

    async def _score(self, turn: Turn) -> None:
        pairs = [job.pairs[place] for job, places in turn.parts for place in places]
        limits = [job.text_tokens for job, places in turn.parts for _ in places]
        queries = dict.fromkeys(
            job.pairs[place][0] for job, places in turn.parts if job.with_priors for place in places
        )
        began = time.perf_counter()
        try:
            scores: TurnScores = await self._worker.call("score", turn.model, pairs, limits, list(queries))
        except QPeftError as error:
            self._failed(turn, error)
            return
        except Exception:  # whatever it is, the requests that come after must be answered
            logger.exception("a turn failed")
            self._failed(turn, WorkerFailedError("scoring", "an internal error"))
            return
        seconds = time.perf_counter() - began
        speed = turn.cost / max(seconds, 1e-6)
        self._per_second[turn.model] = 0.8 * self._per_second.get(turn.model, speed) + 0.2 * speed
        self._metrics.scored(turn.model, scores.scored, seconds, requests=len(turn.parts), waiting=self.queue.documents)
        self._hand_out(turn, scores)

    def _hand_out(self, turn: Turn, scores: TurnScores) -> None:
        scored = scores.scored
        rest = iter(zip(scored.likelihoods.tolist(), scored.windows, scored.tokens, scored.tokens_cut, strict=True))
        for job, places in turn.parts:
            own = list(islice(rest, len(places)))
            # Its time may be up. A thread may be reading what was known then.
            if job.done.done():
                continue
            if job.with_priors:
                job.priors |= {query: scores.priors[query] for query, _ in job.pairs if query in scores.priors}
            for place, one in zip(places, own, strict=True):
                job.likelihoods[place], job.windows[place], job.tokens[place], job.tokens_cut[place] = one
            job.left -= len(places)
            if job.left == 0:
                if all(map(math.isfinite, job.likelihoods)):
                    job.done.set_result(None)
                else:
                    job.done.set_exception(WorkerFailedError("scoring", "a score that is not finite"))

    def _failed(self, turn: Turn, error: QPeftError) -> None:
        """The requests of a failed turn get turns of their own, so that only the one at fault fails."""
        alone = len(turn.parts) == 1
        died = isinstance(error, WorkerDiedError)
        for job, _ in turn.parts:
            job.died += died
            job.alone = True
            if alone and not (died and job.died < 2) and not job.done.done():
                job.done.set_exception(error)
        self.queue.put_back(turn)
