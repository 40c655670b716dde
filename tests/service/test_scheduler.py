"""Turns: how long they are, when an idle model waits, and what a document costs."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from stand_ins import scored_as

from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.scheduler import Scheduler
from pyserini_qpeft.service.scoring import TurnScores

BATCH_TOKENS = 1000
LONG = "x" * 4000
"""A document of which 200 tokens are read: with its prompt it costs 232."""


class RecordingWorker:
    """Scores at once, or when it is let go."""

    name = "scoring"

    def __init__(self) -> None:
        self.info = SimpleNamespace(models={"m": SimpleNamespace(batch_tokens=BATCH_TOKENS, text_tokens=200)})
        self.turns: list[list[str]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def call(
        self, method: str, model: str, pairs: list[tuple[str, str]], limits: list[int | None], queries: list[str]
    ) -> TurnScores:
        self.turns.append([query for query, _ in pairs])
        await self.may_end.wait()
        return TurnScores(scored_as(np.full(len(pairs), -1, dtype=np.float32)), dict.fromkeys(queries, -3.0))


def run(check: Callable[[Scheduler, RecordingWorker], Awaitable[None]], **settings: Any) -> None:
    async def checked() -> None:
        worker: Any = RecordingWorker()
        scheduler = Scheduler(worker, ServiceConfig(**settings), Metrics())
        scheduler.start()
        await check(scheduler, worker)
        await scheduler.stop()

    asyncio.run(checked())


def test_a_request_that_is_alone_is_scored_at_once() -> None:
    """However long an idle model may wait for more requests: so far none came beside another."""

    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        for _ in range(3):
            async with asyncio.timeout(10):
                await scheduler.score("m", [("q", "a")], "client")

    run(check, batch_wait_ms=1e6)


def test_an_idle_model_waits_for_others_if_there_were_others_before() -> None:
    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        await asyncio.gather(*(scheduler.score("m", [(name, "a")], "client") for name in "ab"))
        first = asyncio.create_task(scheduler.score("m", [("c", "a")], "client"))
        while not scheduler.queue.documents:
            await asyncio.sleep(0)
        await asyncio.gather(first, scheduler.score("m", [("d", "a")], "client"))
        assert worker.turns == [["a", "b"], ["c", "d"]]

    run(check, batch_wait_ms=500)


def test_a_little_more_than_a_turn_is_one_turn() -> None:
    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        await scheduler.score("m", [("q", LONG)] * 6, "client")  # 1,392 tokens, in batches of 1,000
        assert list(map(len, worker.turns)) == [6]
        worker.turns.clear()
        await scheduler.score("m", [("q", LONG)] * 20, "client")
        assert len(worker.turns[0]) == 5
        assert sum(map(len, worker.turns)) == 20

    run(check, turn_seconds=1e-9)


def test_a_document_costs_what_is_read_of_it() -> None:
    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        worker.may_end.clear()
        running = asyncio.create_task(scheduler.score("m", [("q", "a")], "client"))
        while not worker.turns:
            await asyncio.sleep(0)
        costs = []
        waiting = []
        for most in (None, 50, 10_000):
            waiting.append(asyncio.create_task(scheduler.score("m", [("q", LONG)], "client", text_tokens=most)))
            before = scheduler.queue.costs["m"]
            while scheduler.queue.costs["m"] == before:
                await asyncio.sleep(0)
            costs.append(scheduler.queue.costs["m"] - before)
        assert costs == [232, 82, 232]
        worker.may_end.set()
        await asyncio.gather(running, *waiting)

    run(check)


def test_what_is_known_at_the_deadline_does_not_change_any_more() -> None:
    """A thread ranks it while the turn that came too late ends."""

    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        worker.may_end.clear()
        late = await scheduler.score("m", [("q", "a")], "client", deadline=Deadline.after(50))
        worker.may_end.set()
        await scheduler.score("m", [("q", "b")], "client")
        assert [late.left, np.isnan(late.likelihoods).tolist(), late.tokens] == [1, [True], [0]]

    run(check)


def test_a_request_without_priors_does_not_get_those_of_another() -> None:
    async def check(scheduler: Scheduler, worker: RecordingWorker) -> None:
        worker.may_end.clear()
        first = asyncio.create_task(scheduler.score("m", [("other", "a")], "client"))
        await asyncio.sleep(0.01)
        both = [
            asyncio.create_task(scheduler.score("m", [("q", "a")], "client", with_priors=wanted))
            for wanted in (True, False)
        ]
        await asyncio.sleep(0.01)
        worker.may_end.set()
        assert [job.priors for job in await asyncio.gather(*both)] == [{"q": -3.0}, {}]
        await first
        assert len(worker.turns) == 2

    run(check)
