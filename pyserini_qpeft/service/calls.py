"""Calls to a worker outside the queue: searches and explanations."""

import asyncio
from typing import Any

from pyserini_qpeft.service.config import LimitsConfig
from pyserini_qpeft.service.errors import ServiceError
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.process import WorkerProcess

_MOST_WAITING = 64


class Calls:
    """Calls a worker for one request after the other.

    The worker gets a call when it has answered the one before. So a caller that is cancelled leaves no work behind, and
    turns of the queue wait for one call at most.

    Args:
        worker: The process.
        limits: Seconds until a call must be answered.
        metrics: Counts refused calls.
    """

    def __init__(self, worker: WorkerProcess, limits: LimitsConfig, metrics: Metrics) -> None:
        self._worker = worker
        self._seconds = limits.request_seconds
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of a method of the worker's object.

        Args:
            method: The name of the method.
            *arguments: Its arguments.

        Raises:
            ServiceError: Too many calls wait (429), or there is no answer in time (503).
            QPeftError: As for `WorkerProcess.call`.
        """
        if self._waiting >= _MOST_WAITING:
            self._metrics.refused("calls")
            raise ServiceError(
                f"{self._waiting} requests wait for the {self._worker.name} process already: try again later.",
                status=429,
                code="queue_full",
                retry_after=1,
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._in_turn(method, *arguments)
        except TimeoutError:
            raise ServiceError(
                f"there was no answer within {self._seconds:g} seconds: try again later.",
                status=503,
                code="timeout",
                retry_after=5,
            ) from None
        finally:
            self._waiting -= 1

    async def _in_turn(self, method: str, *arguments: Any) -> Any:
        await self._turn.acquire()
        # The worker cannot be interrupted: the turn ends with its answer, even if nobody waits for that any more.
        answered = asyncio.ensure_future(self._worker.call(method, *arguments))
        answered.add_done_callback(self._end_turn)
        return await asyncio.shield(answered)

    def _end_turn(self, answered: "asyncio.Future[Any]") -> None:
        self._turn.release()
        if not answered.cancelled():
            answered.exception()  # asyncio complains of an error that nobody has looked at
