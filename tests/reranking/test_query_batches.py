"""Queries are divided into query batches, in the same way in every run."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.reranking.query_batches import query_batches


def size(query: tuple[int, int]) -> int:
    return query[1]


@given(st.lists(st.integers(0, 900), max_size=30), st.integers(1, 4000))
def test_each_query_is_in_one_batch_in_order(sizes: list[int], most: int) -> None:
    queries = list(enumerate(sizes))
    batches = list(query_batches(queries, size, most))
    assert [query for batch in batches for query in batch] == queries
    for batch in batches:
        pairs = [size(query) for query in batch]
        assert sum(pairs[:-1]) < most
        if batch is not batches[-1]:
            assert sum(pairs) >= most


def test_no_more_queries_are_taken_than_a_batch_needs() -> None:
    taken: list[Any] = []

    def queries() -> Any:
        for query in enumerate([600] * 9):
            taken.append(query)
            yield query

    next(query_batches(queries(), size, 1000))
    assert len(taken) == 2
