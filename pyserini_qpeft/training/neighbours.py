"""Groups of queries that have passages in common, so that the passages of each are hard negatives for the others."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.examples import TrainingExample


class NearQueries:
    """Finds the queries that share the most passages with each other, positives and hard negatives alike.

    A passage that few queries have counts for more: 1 / (number of its queries).

    Args:
        examples: The training queries.
    """

    def __init__(self, examples: Sequence[TrainingExample]) -> None:
        numbers: dict[str, int] = {}
        self._passages = [
            [numbers.setdefault(passage.text, len(numbers)) for passage in (*example.positives, *example.negatives)]
            for example in examples
        ]
        self._queries: dict[int, list[int]] = defaultdict(list)
        for query, passages in enumerate(self._passages):
            for passage in passages:
                self._queries[passage].append(query)

    def order(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """An order of all queries in which each `size` of them, from the first on, are near each other.

        Args:
            size: Queries of a group.
            rng: Draws the queries that groups start from, and the order of the groups.

        Returns:
            Numbers of the queries, int64 `[queries]`. Queries without near ones stand together; an incomplete group
            is the last one.
        """
        free = dict.fromkeys(rng.permutation(len(self._passages)).tolist())
        groups, left = [], []
        while free:
            group = self._group(next(iter(free)), size, free)
            groups += [group] if len(group) == size else []
            left += [] if len(group) == size else group
        groups += [left[start : start + size] for start in range(0, len(left), size)]
        last = groups.pop() if groups and len(groups[-1]) < size else []
        return np.array([query for at in rng.permutation(len(groups)) for query in groups[at]] + last, dtype=np.int64)

    def _group(self, query: int, size: int, free: dict[int, None]) -> list[int]:
        """Takes a query and those nearest to it out of `free`."""
        near: dict[int, float] = defaultdict(float)
        group = []
        while True:
            group.append(query)
            del free[query]
            near.pop(query, None)
            for passage in self._passages[query]:
                others = self._queries[passage]
                for other in others:
                    if other in free:
                        near[other] += 1 / len(others)
            if len(group) == size or not near:
                return group
            query = max(near, key=near.__getitem__)
