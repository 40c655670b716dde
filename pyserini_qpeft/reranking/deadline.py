"""A time limit for the scoring of one query: the best order that is known when the time is up."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.requests import Asked
from pyserini_qpeft.reranking.scored import Scored

_MARGIN = 1.15
"""A block is started only if the time that is left is this many times what the block is expected to take."""

_MEMORY = 0.7
"""What the measurements before count, compared with the last one."""

_DOUBT = 0.9
"""What a pace counts after a query for which no hit would fit in time. So a hit is tried again some queries later."""

_BLOCK = 32
"""Most hits of a block: a pace that has changed is noticed after one block."""

_CHARACTERS_PER_TOKEN = 5


@dataclass(frozen=True, slots=True)
class Deadline:
    """When scoring must end.

    Attributes:
        at: In seconds of `time.monotonic`.
    """

    at: float

    @classmethod
    def after(cls, milliseconds: float) -> Self:
        """The deadline that ends a number of milliseconds from now."""
        return cls(time.monotonic() + milliseconds / 1000)

    def seconds_left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.at - time.monotonic()


class Pace:
    """How long scoring takes, learnt from what was scored last. Several threads may share one pace.

    Args:
        passage_tokens: Tokens of a passage that are read at most; None: all are read.
    """

    def __init__(self, passage_tokens: int | None = None) -> None:
        self._most = None if passage_tokens is None else passage_tokens * _CHARACTERS_PER_TOKEN
        self._characters = 0.0
        self._seconds = 0.0
        self._lock = threading.Lock()

    def fitting(self, query: str, candidates: Sequence[Candidate], seconds: float) -> int:
        """How many of the first candidates can be scored in this time; one if no pace is known yet.

        Args:
            query: The query.
            candidates: The candidates that are not scored yet, in order.
            seconds: The time that is left.
        """
        if seconds <= 0:
            return 0
        with self._lock:
            if not self._seconds:
                return min(1, len(candidates))
            characters = seconds / _MARGIN * self._characters / self._seconds
        ends = np.cumsum([self._size(query, candidate) for candidate in candidates[:_BLOCK]])
        return int(np.searchsorted(ends, characters, side="right"))

    def measured(self, query: str, candidates: Sequence[Candidate], seconds: float) -> None:
        """Take note of how long the scoring of candidates took."""
        with self._lock:
            self._characters = _MEMORY * self._characters + sum(self._size(query, one) for one in candidates)
            self._seconds = _MEMORY * self._seconds + seconds

    def doubt(self) -> None:
        """Expect scoring to take a little less time, because nothing was measured for lack of time."""
        with self._lock:
            self._seconds *= _DOUBT

    def _size(self, query: str, candidate: Candidate) -> int:
        characters = len(candidate.text)
        return 1 + len(query) + (characters if self._most is None else min(characters, self._most))


Score = Callable[[Sequence[tuple[str, Candidate]]], Scored]
"""Scores pairs of query and candidate; only the first of them if it has no time for the others."""


def score_in_time(asked: Asked, score: Score, deadline: Deadline, pace: Pace) -> tuple[Asked, Scored]:
    """Score the hits of a query from the first on, in blocks, until the time is up.

    A block is scored as a whole and is not interrupted. Its size is chosen so that it ends in time, by the pace of the
    blocks before; the first block that a reranker ever scores has one hit.

    Args:
        asked: The query and its hits.
        score: Scores pairs.
        deadline: When scoring must end.
        pace: Is asked and updated.

    Returns:
        The query with the hits that were scored as its head and all others as its tail; and what was found about its
        head.
    """
    parts: list[Scored] = []
    done = 0
    while done < len(asked.head):
        count = pace.fitting(asked.query, asked.head[done:], deadline.seconds_left())
        if not count:
            if not done and deadline.seconds_left() > 0:
                pace.doubt()
            break
        block = asked.head[done : done + count]
        start = time.perf_counter()
        scored = score([(asked.query, candidate) for candidate in block])
        parts.append(scored)
        done += len(scored.likelihoods)
        if len(scored.likelihoods) < count:
            break
        pace.measured(asked.query, block, time.perf_counter() - start)
    return asked.until(done), Scored.joined(parts)
