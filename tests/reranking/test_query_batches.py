"""Queries are scored in batches that come out the same whenever they are made."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.query_batches import Request, query_batches


def requests(sizes: list[int]) -> list[Request]:
    return [Request(str(n), [Candidate("d", "text", 0.0)] * size, []) for n, size in enumerate(sizes)]


@given(st.lists(st.integers(0, 900), max_size=30), st.integers(1, 4000))
def test_each_request_is_in_one_batch_in_order(sizes: list[int], most: int) -> None:
    asked = requests(sizes)
    parts: list[list[Request]] = list(query_batches(asked, most))
    assert [one for part in parts for one in part] == asked
    for place, part in enumerate(parts):
        pairs = [len(one.head) for one in part]
        limit = min(most, 1024) if place == 0 else most
        assert sum(pairs[:-1]) < limit
        if part is not parts[-1]:
            assert sum(pairs) >= limit


def test_no_more_requests_are_taken_than_a_batch_needs() -> None:
    taken: list[Any] = []

    def asked() -> Any:
        for one in requests([600] * 9):
            taken.append(one)
            yield one

    next(query_batches(asked(), 5000))
    assert len(taken) == 2
