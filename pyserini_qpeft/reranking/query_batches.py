"""Query batches: queries that are scored together, so that a passage they share is read once."""

from collections.abc import Callable, Iterable, Iterator

_FIRST = 1024
"""Pairs of the first query batch, so that first results come soon."""


def query_batches[Query](queries: Iterable[Query], pairs: Callable[[Query], int], most: int) -> Iterator[list[Query]]:
    """Divide queries into query batches: larger ones share more passages and take longer until results come.

    The division depends on nothing but the queries and `most`: the same queries are divided in the same way in every
    run.

    Args:
        queries: The queries, in order.
        pairs: How many passages of a query are scored.
        most: A batch ends when it has this many pairs; the first one may end earlier.
    """
    size = min(most, _FIRST)
    batch: list[Query] = []
    count = 0
    for query in queries:
        batch.append(query)
        count += pairs(query)
        if count >= size:
            yield batch
            batch, count, size = [], 0, most
    if batch:
        yield batch
