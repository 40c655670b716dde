"""The queue of documents that wait to be scored: fair between clients, and between the requests of a client.

If the model could be divided, each client would get an equal share of it, and each request of a client an equal part of
that. The queue follows in numbers what each would have got, and scores requests one after the other, in the order in
which they would end (fair queueing: Demers, Keshav and Shenker, SIGCOMM 1989). So none ends much later than with its
equal share, and most end earlier: a request of ten documents does not wait for one of a thousand, and a client with
many requests does not displace a client with one. Requests of the same size end one after the other and not all at
once, so that work is left while their clients prepare the next ones.
"""

import asyncio
import heapq
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

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
        with_priors: Whether the likelihoods of its queries without a document are wanted, for probabilities.
        likelihoods: Likelihood of each document, NaN until it is known.
        windows: The windows of each document; empty until they are known, or if windows are off.
        tokens: Tokens that the model read of each document, 0 until it is scored.
        tokens_cut: Tokens of each document that it did not read.
        priors: Likelihood of each query without a document, if wanted and if the model has a calibration.
        waiting: Documents that are not taken yet; the shortest stands last and is taken first.
        left: How many documents have no score yet.
        ends: When it would end with its equal share: the work that each request of its client has got by then.
        alone: Whether its documents get turns of their own, because a turn with them failed.
        died: How often a worker died over it.
    """

    model: str
    pairs: Sequence[tuple[str, str]]
    client: str
    costs: list[int]
    done: "asyncio.Future[None]"
    text_tokens: int | None = None
    with_priors: bool = True
    likelihoods: list[float] = field(init=False)
    windows: list[tuple[ScoredWindow, ...]] = field(init=False)
    tokens: list[int] = field(init=False)
    tokens_cut: list[int] = field(init=False)
    priors: dict[str, float] = field(default_factory=dict)
    waiting: list[int] = field(init=False)
    left: int = field(init=False)
    ends: float = 0.0
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


@dataclass(slots=True)
class _Client:
    """A client that has documents that wait, or that has been served before its time.

    Attributes:
        jobs: Its requests that have documents that wait, oldest first.
        got: The work that each of its requests would have got so far with its equal share.
        ends: `Job.ends` of the requests that would not have ended yet, as a heap.
    """

    jobs: dict[Job, None] = field(default_factory=dict)
    got: float = 0.0
    ends: list[float] = field(default_factory=list)

    def give(self, work: float) -> None:
        """Note an equal share of the work that was done for all."""
        self.got += work / max(1, len(self.ends))
        while self.ends and self.ends[0] <= self.got:
            heapq.heappop(self.ends)

    def work_until(self, end: float) -> float:
        """How much work this client would get from now until a request ends."""
        if end <= self.got:
            return end - self.got
        return sum(min(one, end) for one in self.ends) - len(self.ends) * self.got


class FairQueue:
    """Requests that have documents to be scored.

    Attributes:
        documents: How many documents wait.
        costs: The estimated work for each model, in tokens.
    """

    def __init__(self) -> None:
        self.documents = 0
        self.costs: dict[str, int] = {}
        self._clients: dict[str, _Client] = {}

    @property
    def clients(self) -> int:
        """How many clients have documents that wait."""
        return sum(bool(client.jobs) for client in self._clients.values())

    def documents_of(self, client: str) -> int:
        """How many documents of a client wait."""
        return sum(len(job.waiting) for job in self._jobs_of(client))

    def add(self, job: Job) -> None:
        """Put in a request, or put back one whose documents were taken in vain."""
        client = self._clients.setdefault(job.client, _Client())
        job.ends = client.got + sum(job.costs[place] for place in job.waiting)
        client.jobs[job] = None
        heapq.heappush(client.ends, job.ends)
        self._count(job, job.waiting, 1)

    def remove(self, job: Job) -> None:
        """Take out a request that nobody waits for any more. Documents in a turn are scored all the same."""
        if job in self._jobs_of(job.client):
            self._count(job, job.waiting, -1)
            client = self._clients[job.client]
            if job.ends in client.ends:
                client.ends.remove(job.ends)
                heapq.heapify(client.ends)
            self._forget(job)
        job.waiting.clear()

    def take(self, budget_of: Callable[[str], int]) -> Turn | None:
        """The documents of the next turn, all of one model; None if nothing waits.

        Args:
            budget_of: How much work a turn of this model should have, in tokens. It has at least one document.
        """
        first = job = self._next(lambda _: True)
        if first is None:
            return None
        budget = budget_of(first.model)
        parts: list[tuple[Job, list[int]]] = []
        cost = 0
        while job is not None and cost < budget:
            places = []
            while job.waiting and cost < budget:
                places.append(job.waiting.pop())
                cost += job.costs[places[-1]]
            self._taken(job, places)
            parts.append((job, places))
            job = self._next(partial(self._together, first))
        return Turn(first.model, parts, cost)

    def put_back(self, turn: Turn) -> None:
        """Put the documents of a turn back that has failed, if their requests are still waited for."""
        for job, places in turn.parts:
            if job.done.done():
                continue
            waiting = sorted({*job.waiting, *places}, key=lambda place: -job.costs[place])
            self.remove(job)
            job.waiting = waiting
            self.add(job)

    def _next(self, may_be: Callable[[Job], bool]) -> Job | None:
        """The request that would end first with its equal share, of those that may be."""
        heads = [
            (client.work_until(job.ends), job)
            for client in self._clients.values()
            if (job := min(filter(may_be, client.jobs), key=lambda job: job.ends, default=None)) is not None
        ]
        return min(heads, key=lambda head: head[0])[1] if heads else None

    def _taken(self, job: Job, places: list[int]) -> None:
        share = sum(job.costs[place] for place in places) / len(self._clients)
        for client in self._clients.values():
            client.give(share)
        self._count(job, places, -1)
        if not job.waiting:
            self._forget(job)

    def _jobs_of(self, client: str) -> "dict[Job, None]":
        return self._clients[client].jobs if client in self._clients else {}

    @staticmethod
    def _together(first: Job, job: Job) -> bool:
        """Whether a request may share a turn with the first one."""
        return job.model == first.model and not job.alone and not first.alone

    def _count(self, job: Job, places: list[int], sign: int) -> None:
        self.documents += sign * len(places)
        cost = self.costs.get(job.model, 0) + sign * sum(job.costs[place] for place in places)
        self.costs[job.model] = cost

    def _forget(self, job: Job) -> None:
        del self._clients[job.client].jobs[job]
        if not self.documents:
            self._clients.clear()
        elif gone := [name for name, client in self._clients.items() if not client.jobs and not client.ends]:
            for name in gone:
                del self._clients[name]
