"""A time limit for the scoring of one query: the best order that is known when the time is up."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.checks import check_number
from pyserini_qpeft.reranking.requests import Asked
from pyserini_qpeft.reranking.scored import Scored

_MARGIN = 1.15
"""A block is started only if the time that is left is this many times what the block is expected to take."""

_MEMORY = 0.7
"""What the measurements before count, compared with the last one."""

_DOUBT = 0.9
"""What a pace counts after a query for which no hit would fit in time. So a hit is tried again some queries later."""

_HOPE = 0.9
"""What a pace that was learnt from blocks of one size counts of the time of a character, after a query with hits left
out; the rest is taken to be fixed. So a larger block is tried some queries later."""

_LEAST_HOPE = 1e-4
"""The least part of the time of a block that is not taken to be fixed: no block is expected to be free."""

_BLOCK = 32
"""Most hits of a block: a pace that has changed is noticed after one block."""

_GROWTH = 2
"""A block has at most this many times the characters of the largest one lately."""

_LATELY = 8
"""How many blocks are the last ones. The last block of a query is small, and says nothing against larger ones."""

_LEAST_VARIANCE = 1e-4
"""Of the sizes of blocks, as a part of their mean square: below it they are the same."""

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
        check_number(milliseconds, "milliseconds", optional=False)
        return cls(time.monotonic() + milliseconds / 1000)

    def seconds_left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.at - time.monotonic()


class Pace:
    """How long scoring takes, learnt from the blocks that were scored last. Several threads may share one pace.

    A block takes a fixed time, such as the wait for other requests, and a time for each character: the line of least
    squares through the blocks, of which older ones count less. If the line makes no sense, because all blocks had the
    same size or because of noise, the time is proportional to the characters. Blocks of one size do not say which part
    of their time is fixed, so with each query whose hits do not fit (`hope`) a larger part is taken to be, until a
    block of another size is tried.

    Args:
        passage_tokens: Tokens of a passage that are read at most; None: all are read.
    """

    def __init__(self, passage_tokens: int | None = None) -> None:
        self._most = None if passage_tokens is None else passage_tokens * _CHARACTERS_PER_TOKEN
        # Decaying sums over the blocks: 1, characters, seconds, characters², characters · seconds.
        self._sums = np.zeros(5)
        self._lately: deque[float] = deque([0.0], maxlen=_LATELY)
        self._per_character = 1.0  # part of the time of a block of the only size
        self._lock = threading.Lock()

    def fitting(self, query: str, candidates: Sequence[Candidate], seconds: float) -> int:
        """How many of the first candidates can be scored in this time; one if no pace is known yet.

        Args:
            query: The query.
            candidates: The candidates that are not scored yet, in order.
            seconds: The time that is left.
        """
        if seconds <= 0 or not candidates:
            return 0
        ends = np.cumsum([self._size(query, candidate) for candidate in candidates[:_BLOCK]])
        with self._lock:
            if not self._sums[2]:
                return 1
            fixed, each = self._line()
            characters = (seconds / _MARGIN - fixed) / each
            # A much larger block may not follow the line.
            tried = max(ends[0], _GROWTH * max(self._lately))
        return int(np.searchsorted(ends, min(characters, tried), side="right"))

    def measured(self, query: str, candidates: Sequence[Candidate], seconds: float) -> None:
        """Take note of how long the scoring of candidates took."""
        size = float(sum(self._size(query, one) for one in candidates))
        with self._lock:
            self._sums = _MEMORY * self._sums + (1, size, seconds, size * size, size * seconds)
            self._lately.append(size)
            if self._variance() > 0:
                self._per_character = 1.0

    def doubt(self) -> None:
        """Expect scoring to take a little less time, because nothing was measured for lack of time."""
        with self._lock:
            self._sums[[2, 4]] *= _DOUBT

    def hope(self) -> None:
        """Expect a larger block to take a little less time, because hits were left out for lack of time."""
        with self._lock:
            self._per_character = max(_LEAST_HOPE, self._per_character * _HOPE)

    def _line(self) -> tuple[float, float]:
        """Seconds of a block, and seconds for each of its characters."""
        blocks, size, seconds, _, products = self._sums.tolist()
        proportional = seconds / size
        each = self._per_character * proportional
        if (variance := self._variance()) > 0:
            slope = (products - size * seconds / blocks) / variance
            each = slope if 0 < slope < proportional else proportional
        return (seconds - each * size) / blocks, each

    def _variance(self) -> float:
        """Sum of the squared deviations of the sizes from their mean; 0 if they are the same."""
        blocks, size, _, squares, _ = self._sums.tolist()
        variance: float = squares - size * size / blocks
        return variance if variance > _LEAST_VARIANCE * squares else 0.0

    def _size(self, query: str, candidate: Candidate) -> int:
        characters = len(candidate.text)
        return 1 + len(query) + (characters if self._most is None else min(characters, self._most))


Score = Callable[[Sequence[tuple[str, Candidate]]], Scored]
"""Scores pairs of query and candidate; only the first of them if it has no time for the others."""


def score_in_time(asked: Asked, score: Score, deadline: Deadline, pace: Pace) -> tuple[Asked, Scored]:
    """Score the hits of a query from the first on, in blocks, until the time is up.

    A block is scored as a whole and is not interrupted. Its size is chosen so that it ends in time, by the pace of the
    blocks before; the first block that a reranker ever scores has one hit, and blocks grow from there.

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
            if deadline.seconds_left() > 0:
                pace.hope() if done else pace.doubt()
            break
        block = asked.head[done : done + count]
        start = time.perf_counter()
        scored = score([(asked.query, candidate) for candidate in block])
        parts.append(scored)
        read = len(scored.likelihoods)
        done += read
        # If a block was cut off, its next hit would have taken longer than this.
        pace.measured(asked.query, block[: read + 1], time.perf_counter() - start)
        if read < count:
            break
    return asked.until(done), Scored.joined(parts)
