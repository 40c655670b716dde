"""What tests of scoring share: threads that start together, and a count of the passages that a model reads."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

InThreads = Callable[[list[Callable[[], Any]]], list[Any]]


@pytest.fixture
def in_threads() -> Iterator[InThreads]:
    """Runs calls in one thread each, all started at the same moment, and gives their results in order.

    Python switches threads as often as it can meanwhile, so that races show.
    """

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(calls))

        def started(call: Callable[[], Any]) -> Any:
            start.wait()
            return call()

        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(started, call) for call in calls]]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield run
    sys.setswitchinterval(interval)


@pytest.fixture
def passages_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[int]]:
    """From a scorer with a cache to a list that gets the number of passages of each call of the model."""

    def count(scorer: Any) -> list[int]:
        read, numbers = scorer.cache.read, []

        def counting(ids: Any) -> Any:
            numbers.append(len(ids))
            return read(ids)

        monkeypatch.setattr(scorer.cache, "read", counting)
        return numbers

    return count
