"""Queries that are scored together, so that passages they share are read once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.records import RankedHit

_FIRST = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One query, its hits to rescore, and those below the depth."""

    query: str
    head: list[Candidate]
    tail: list[RankedHit]


def query_batches(requests: Iterable[Request], most: int) -> Iterator[list[Request]]:
    """Parts the requests into query batches: larger ones share more passages and take longer until results come.

    The first one is smaller, so that first results come soon. Nothing depends on time: the same requests are parted
    the same way whenever they come.

    Args:
        requests: Queries with their hits.
        most: Pairs that close a batch.
    """
    size = min(most, _FIRST)
    batch: list[Request] = []
    pairs = 0
    for request in requests:
        batch.append(request)
        pairs += len(request.head)
        if pairs >= size:
            yield batch
            batch, pairs, size = [], 0, most
    if batch:
        yield batch
