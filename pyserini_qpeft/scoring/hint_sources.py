"""Where hints come from when it is not the passage itself."""

from collections.abc import Sequence
from random import Random


def other_passages(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """For each (query, passage) another passage of the query, by a permutation that depends on both alone.

    A passage that is the query's only one stays with itself.
    """
    passages: dict[str, list[str]] = {}
    for query, passage in dict.fromkeys(pairs):
        passages.setdefault(query, []).append(passage)
    donors: dict[tuple[str, str], str] = {}
    for query, listed in passages.items():
        order = Random(query).sample(sorted(listed), len(listed))
        donors |= {(query, one): other for one, other in zip(order, order[1:] + order[:1], strict=True)}
    return donors
