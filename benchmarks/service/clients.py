"""Clients that send requests for a bounded time and check every answer."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from benchmarks.service.options import Request
from benchmarks.service.server import REQUEST_SECONDS
from pyserini_qpeft.service.process import WorkerProcess

_PAUSE = 0.05
"""Seconds between a bare call and a request, in which the threads of the bare call go to sleep."""


@dataclass
class Load:
    """What N clients saw in one round.

    Attributes:
        clients: Their number.
        seconds: Until the last answer.
        latencies: Seconds of each answered request.
        wrong: Answers whose scores belong to another request, or to none.
        refused: Answers with another status than 200.
        overheads: With one client: seconds beyond the bare call.
    """

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    overheads: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clients:
    """Sends requests of a pool to a server.

    Attributes:
        url: Where.
        pool: The requests.
        tolerance: Largest difference of a score from the offline one.
        offline: Scores each request right before or after it is sent, if there is one client.
    """

    url: str
    pool: list[Request]
    tolerance: float
    offline: WorkerProcess

    async def load(self, clients: int, seconds: float, seed: int) -> Load:
        """Let clients send one request after the other, each its own.

        Args:
            clients: How many.
            seconds: For how long.
            seed: Of the choice of requests.
        """
        load = Load(clients)
        began = time.perf_counter()

        async def client(number: int) -> None:
            draws = Random(seed * 1000 + number)
            async with httpx2.AsyncClient(base_url=self.url, timeout=REQUEST_SECONDS) as session:
                while time.perf_counter() - began < seconds:
                    request = draws.choice(self.pool)
                    bare_first = draws.random() < 0.5
                    bare = await self._bare(request) if clients == 1 and bare_first else None
                    took = await self._ask(session, request, load)
                    if clients == 1 and not bare_first:
                        bare = await self._bare(request)
                    if bare is not None and took is not None:
                        load.overheads.append(took - bare)

        await asyncio.gather(*map(client, range(clients)))
        load.seconds = time.perf_counter() - began
        return load

    async def _bare(self, request: Request) -> float:
        await asyncio.sleep(_PAUSE)
        seconds: float = (await self.offline.call("score", request.pairs))[1]
        await asyncio.sleep(_PAUSE)
        return seconds

    async def _ask(self, session: Any, request: Request, load: Load) -> float | None:
        body = {"query": request.query, "documents": request.texts, "raw_scores": True, "return_documents": False}
        sent = time.perf_counter()
        answer = await session.post("/v1/rerank", json=body)
        took = time.perf_counter() - sent
        if answer.status_code != 200:
            load.refused += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
            return None
        load.wrong += not self.is_right(answer.json(), request)
        load.latencies.append(took)
        return took

    def is_right(self, answer: Any, request: Request) -> bool:
        """Whether an answer has the scores of its own request, each once."""
        got = {result["index"]: result["relevance_score"] for result in answer["results"]}
        return len(answer["results"]) == len(got) == len(request.scores) and all(
            place in got and math.isclose(got[place], score, abs_tol=self.tolerance)
            for place, score in enumerate(request.scores)
        )
