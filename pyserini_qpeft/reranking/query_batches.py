"""Query batches: queries that are scored together, so that a passage they share is read once."""

from collections.abc import Callable, Iterable, Iterator


def query_batches[Query](queries: Iterable[Query], pairs: Callable[[Query], int], most: int) -> Iterator[list[Query]]:
    """Divide queries into query batches: larger ones share more passages and take longer until results come.

    The division depends on nothing but the queries and `most`: the same queries are divided in the same way in every
    run.

    Args:
        queries: The queries, in order.
        pairs: How many passages of a query are scored.
        most: A batch ends with the query that brings it to this many pairs.
    """
    batch: list[Query] = []
    count = 0
    for query in queries:
        batch.append(query)
        count += pairs(query)
        if count >= most:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch
