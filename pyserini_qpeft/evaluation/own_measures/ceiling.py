"""Ceiling@k: the nDCG@10 that a perfect reranker of the first k hits would reach."""

import math
from collections.abc import Iterable, Mapping, Sequence

_CUTOFF = 10


def ceiling(grades: Mapping[str, int], ranking: Sequence[str]) -> float:
    """Computes nDCG@10 of the ranking's docids in their best possible order, with trec_eval's linear gains.

    Args:
        grades: The grade of each judged docid of the query.
        ranking: The docids of the query's hits, best first, cut at k.

    Returns:
        0 to 1; 0 for a query without a relevant passage.
    """
    best = _dcg(grades.values())
    return _dcg(grades.get(docid, 0) for docid in ranking) / best if best else 0.0


def _dcg(grades: Iterable[int]) -> float:
    ordered = sorted((max(grade, 0) for grade in grades), reverse=True)[:_CUTOFF]
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(ordered, start=1))
