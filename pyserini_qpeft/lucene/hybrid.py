"""A correction of Pyserini's hybrid search: with --normalization it divides by zero if all scores of a half are equal.

This happens to every query for which the Lucene half finds a single document.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

Fusion = Callable[..., list[Any]]


def corrected() -> contextlib.AbstractContextManager[Any]:
    """Within the block, a half whose scores are all equal does not change the order, as if it had not been searched."""
    from pyserini.search.hybrid import HybridSearcher

    fusion = HybridSearcher._hybrid_results
    return mock.patch.object(HybridSearcher, "_hybrid_results", staticmethod(_guarded(fusion)))


def _guarded(fusion: Fusion) -> Fusion:
    def fused(
        dense: Sequence[Any], sparse: Sequence[Any], alpha: float, k: int, normalization: bool = False, *rest: Any
    ) -> list[Any]:
        if normalization:
            varies = _varies(dense), _varies(sparse)
            if not any(varies):
                return _with_all(dense, sparse)[:k]
            if not varies[0]:
                dense, sparse = [], _with_all(sparse, dense)
            elif not varies[1]:
                dense, sparse = _with_all(dense, sparse), []
        return fusion(dense, sparse, alpha, k, normalization, *rest)

    return fused


def _varies(hits: Sequence[Any]) -> bool:
    return len({float(hit.score) for hit in hits}) > 1


def _with_all(hits: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """The hits, and below them the hits that only the other half found: Pyserini gives these the lowest score."""
    from pyserini.search.faiss import DenseSearchResult

    found = {hit.docid for hit in hits}
    lowest = min((hit.score for hit in hits), default=0.0)
    return [*hits, *(DenseSearchResult(hit.docid, lowest) for hit in others if hit.docid not in found)]
