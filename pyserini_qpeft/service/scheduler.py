"""Turns the queue into work for the scoring process: shared turns, back-pressure, time limits."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.errors import ServiceError, WorkerDiedError, WorkerFailedError
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.process import WorkerProcess
from pyserini_qpeft.service.queue import FairQueue, Job, Turn, estimated_costs
from pyserini_qpeft.service.scoring import Scored

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
        self._per_second: float | None = None
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
        self, model: str, pairs: Sequence[tuple[str, str]], client: str, text_tokens: int | None = None
    ) -> Job:
        """Score the pairs of one request.

        Args:
            model: Name of the model.
            pairs: (query, passage) texts.
            client: Whose request it is.
            text_tokens: The most tokens of each passage that are read; None is the model's own limit.

        Returns:
            The request with its scores. If the caller is cancelled, its documents leave the queue.

        Raises:
            ServiceError: The queue is full (429), or the time is over (503).
            QPeftError: The query is empty or too long for the model.
        """
        most = self._worker.info.passage_tokens
        costs = estimated_costs(pairs, most if text_tokens is None else min(most, text_tokens))
        job = Job(model, pairs, client, costs, asyncio.get_running_loop().create_future(), text_tokens)
        if not pairs:
            return job
        self._refuse_if_full(job)
        self.queue.add(job)
        self._metrics.waiting(self.queue.documents)
        self._arrived.set()
        seconds = self._config.limits.request_seconds
        try:
            async with asyncio.timeout(seconds):
                await job.done
        except TimeoutError:
            raise ServiceError(
                f"the request was not answered within {seconds:g} seconds: send fewer documents, or try again later.",
                status=503,
                code="timeout",
                retry_after=self.retry_after(),
            ) from None
        finally:
            self.queue.remove(job)
            self._metrics.waiting(self.queue.documents)
        return job

    def retry_after(self) -> int:
        """Seconds until the work that waits now is done, by the speed so far."""
        seconds = self.queue.cost / self._per_second if self._per_second else 1.0
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
            if several and self.queue.cost < self._worker.info.batch_tokens:
                await asyncio.sleep(self._config.batch_wait_ms / 1000)
            requests: set[Job] = set()
            while (turn := self.queue.take(self._turn_cost())) is not None:
                requests.update(job for job, _ in turn.parts)
                self._running = 1
                try:
                    await self._score(turn)
                finally:
                    self._running = 0
            several = len(requests) > 1

    def _turn_cost(self) -> int:
        """At least one batch, and more if the model does more in the time of a turn."""
        batch: int = self._worker.info.batch_tokens
        cost = max(batch, int((self._per_second or 0) * self._config.turn_seconds))
        return max(cost, self.queue.cost) if self.queue.cost <= _LONGEST_LAST_TURN * cost else cost

    async def _score(self, turn: Turn) -> None:
        pairs = [job.pairs[place] for job, places in turn.parts for place in places]
        limits = [job.text_tokens for job, places in turn.parts for _ in places]
        began = time.perf_counter()
        try:
            scored: Scored = await self._worker.call("score", turn.model, pairs, limits)
        except QPeftError as error:
            self._failed(turn, error)
            return
        except Exception:  # whatever it is, the requests that come after must be answered
            logger.exception("a turn failed")
            self._failed(turn, WorkerFailedError("scoring", "an internal error"))
            return
        seconds = time.perf_counter() - began
        speed = turn.cost / max(seconds, 1e-6)
        self._per_second = speed if self._per_second is None else 0.8 * self._per_second + 0.2 * speed
        self._metrics.scored(turn.model, scored, seconds, requests=len(turn.parts), waiting=self.queue.documents)
        self._hand_out(turn, scored)

    def _hand_out(self, turn: Turn, scored: Scored) -> None:
        probabilities: Sequence[float | None] = scored.probabilities or [None] * len(scored.scores)
        rest = iter(zip(scored.scores, probabilities, scored.tokens, scored.cut, strict=True))
        for job, places in turn.parts:
            for place in places:
                job.scores[place], job.probabilities[place], tokens, cut = next(rest)
                job.tokens += tokens
                job.texts_cut += cut
            job.left -= len(places)
            if job.left == 0 and not job.done.done():
                if all(map(math.isfinite, job.scores)):
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
