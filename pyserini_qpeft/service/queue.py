"""The queue of documents that wait to be scored: fair between clients, and between the requests of a client.

Each turn takes documents one by one: from the client that has got the least work so far, and among its requests from
the one that has got the least. So a request of ten documents does not wait for one of a thousand, and a client with
many requests does not displace a client with one (start-time fair queueing, Goyal, Vin and Cheng, SIGCOMM 1996).
"""

import asyncio
import heapq
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from pyserini_qpeft.data.records import ScoredWindow

_CHARACTERS_PER_TOKEN = 4
_PROMPT_TOKENS = 32


@dataclass(eq=False, slots=True)
class Job:
    """The documents of one request.

    Attributes:
        model: Name of the model.
        pairs: (query, passage) texts.
        client: Whose request it is.
        costs: Estimated work of each document, in tokens.
        done: Is set when all documents are scored, or to the error.
        text_tokens: The most tokens of each passage that are read; None is the model's own limit.
        likelihoods: Likelihood of each document, NaN until it is known.
        windows: The windows of each document; empty until they are known, or if windows are off.
        tokens: Tokens that the model read of each document, 0 until it is scored.
        tokens_cut: Tokens of each document that it did not read.
        priors: Likelihood of each query without a document, if the model has a calibration.
        waiting: Documents that are not taken yet; the shortest stands last and is taken first.
        left: How many documents have no score yet.
        served: Work that was taken so far.
        alone: Whether its documents get turns of their own, because a turn with them failed.
        died: How often a worker died over it.
    """

    model: str
    pairs: Sequence[tuple[str, str]]
    client: str
    costs: list[int]
    done: "asyncio.Future[None]"
    text_tokens: int | None = None
    likelihoods: list[float] = field(init=False)
    windows: list[tuple[ScoredWindow, ...]] = field(init=False)
    tokens: list[int] = field(init=False)
    tokens_cut: list[int] = field(init=False)
    priors: dict[str, float] = field(default_factory=dict)
    waiting: list[int] = field(init=False)
    left: int = field(init=False)
    served: int = 0
    alone: bool = False
    died: int = 0

    def __post_init__(self) -> None:
        self.likelihoods = [float("nan")] * len(self.pairs)
        self.windows = [()] * len(self.pairs)
        self.tokens = [0] * len(self.pairs)
        self.tokens_cut = [0] * len(self.pairs)
        self.waiting = sorted(range(len(self.pairs)), key=lambda place: -self.costs[place])
        self.left = len(self.pairs)


def estimated_costs(pairs: Sequence[tuple[str, str]], text_tokens: int | None) -> list[int]:
    """About how many tokens the model reads for each pair; exact numbers would need the tokenizer.

    Args:
        pairs: (query, passage or document) texts.
        text_tokens: The most tokens of a text that are read; None is all.
    """
    most = sys.maxsize if text_tokens is None else text_tokens
    return [
        _PROMPT_TOKENS + len(query) // _CHARACTERS_PER_TOKEN + min(most, len(text) // _CHARACTERS_PER_TOKEN)
        for query, text in pairs
    ]


@dataclass(frozen=True, slots=True)
class Turn:
    """Documents that are scored together.

    Attributes:
        model: Name of their model.
        parts: Requests, and which of their documents.
        cost: Their estimated work, in tokens.
    """

    model: str
    parts: list[tuple[Job, list[int]]]
    cost: int


class FairQueue:
    """Requests that have documents to be scored.

    Attributes:
        documents: How many documents wait.
        costs: The estimated work for each model, in tokens.
    """

    def __init__(self) -> None:
        self.documents = 0
        self.costs: dict[str, int] = {}
        self._jobs: dict[str, dict[Job, None]] = {}
        self._served: dict[str, int] = {}
        self._now = 0

    @property
    def clients(self) -> int:
        """How many clients have documents that wait."""
        return len(self._jobs)

    def documents_of(self, client: str) -> int:
        """How many documents of a client wait."""
        return sum(len(job.waiting) for job in self._jobs.get(client, ()))

    def add(self, job: Job) -> None:
        """Put in a request, or put back one whose documents were taken in vain."""
        if job.client not in self._jobs:
            self._jobs[job.client] = {}
            # A client that has waited for nothing has not saved up anything.
            self._served[job.client] = self._now
        # Neither does a new request get what older ones of its client have got already.
        others = [other.served for other in self._jobs[job.client]]
        job.served = max(job.served, min(others, default=0))
        self._jobs[job.client][job] = None
        self._count(job, job.waiting, 1)

    def remove(self, job: Job) -> None:
        """Take out a request that nobody waits for any more. Documents in a turn are scored all the same."""
        self._take_out(job)
        job.waiting.clear()

    def take(self, budget_of: Callable[[str], int]) -> Turn | None:
        """The documents of the next turn, all of one model; None if nothing waits.

        Args:
            budget_of: How much work a turn of this model should have, in tokens. It has at least one document.
        """
        if not self._jobs:
            return None
        client = min(self._jobs, key=self._served.__getitem__)
        first = min(self._jobs[client], key=lambda job: job.served)
        budget = budget_of(first.model)
        taken: dict[Job, list[int]] = {}
        cost = 0
        tie = count()
        clients = []
        for name, jobs in self._jobs.items():
            heap = [(job.served, next(tie), job) for job in jobs if self._together(job, first)]
            heapq.heapify(heap)
            if heap:
                clients.append((self._served[name], next(tie), name, heap))
        heapq.heapify(clients)
        while clients and (cost < budget or not taken):
            served, _, name, heap = heapq.heappop(clients)
            self._now = max(self._now, served)
            work, _, job = heapq.heappop(heap)
            place = job.waiting.pop()
            taken.setdefault(job, []).append(place)
            cost += job.costs[place]
            job.served = work + job.costs[place]
            self._served[name] = served + job.costs[place]
            if job.waiting:
                heapq.heappush(heap, (job.served, next(tie), job))
            if heap:
                heapq.heappush(clients, (self._served[name], next(tie), name, heap))
        for job, places in taken.items():
            self._count(job, places, -1)
            if not job.waiting:
                self._forget(job)
        return Turn(first.model, list(taken.items()), cost)

    def put_back(self, turn: Turn) -> None:
        """Put the documents of a turn back that has failed, if their requests are still waited for."""
        for job, places in turn.parts:
            if job.done.done():
                continue
            self._take_out(job)
            job.waiting = sorted({*job.waiting, *places}, key=lambda place: -job.costs[place])
            self.add(job)

    def _take_out(self, job: Job) -> None:
        if job in self._jobs.get(job.client, ()):
            self._count(job, job.waiting, -1)
            self._forget(job)

    @staticmethod
    def _together(job: Job, first: Job) -> bool:
        """Whether a request may share a turn with the first one."""
        return job is first or (job.model == first.model and not job.alone and not first.alone)

    def _count(self, job: Job, places: list[int], sign: int) -> None:
        self.documents += sign * len(places)
        cost = self.costs.get(job.model, 0) + sign * sum(job.costs[place] for place in places)
        self.costs[job.model] = cost

    def _forget(self, job: Job) -> None:
        jobs = self._jobs[job.client]
        del jobs[job]
        if not jobs:
            del self._jobs[job.client]
            del self._served[job.client]
