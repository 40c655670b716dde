"""The names for notebooks: open a collection, search, rerank, compare, plot and write, each in one line.

    from pyserini_qpeft.notebook import compare, load_reranker, open_collection, plot, rerank, search_topics, write

    collection = open_collection("beir/nfcorpus")
    bm25 = search_topics(collection, k=100)
    reranked = rerank(bm25, load_reranker("smollm2-135m-q4"))
    comparison = compare({"BM25": bm25, "reranked": reranked})
    plot(comparison, "query-gains")
    write(reranked, "run.txt")

A collection, results and a comparison show themselves in a notebook.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.notebook.collection import (
        Collection,
        demo_collection,
        new_collection,
        open_collection,
        open_prebuilt,
    )
    from pyserini_qpeft.notebook.comparing import Compared, Plot, compare, measure, plot, tune_on
    from pyserini_qpeft.notebook.model import load_reranker
    from pyserini_qpeft.notebook.results import Results, rank_as, rerank, search, search_topics, write
    from pyserini_qpeft.notebook.training import mine, train_adapter

_HOME = {
    "Collection": "collection",
    "Compared": "comparing",
    "Plot": "comparing",
    "Results": "results",
    "compare": "comparing",
    "demo_collection": "collection",
    "load_reranker": "model",
    "measure": "comparing",
    "mine": "training",
    "new_collection": "collection",
    "open_collection": "collection",
    "open_prebuilt": "collection",
    "plot": "comparing",
    "rank_as": "results",
    "rerank": "results",
    "search": "results",
    "search_topics": "results",
    "train_adapter": "training",
    "tune_on": "comparing",
    "write": "results",
}

__all__ = [
    "Collection",
    "Compared",
    "Plot",
    "Results",
    "compare",
    "demo_collection",
    "load_reranker",
    "measure",
    "mine",
    "new_collection",
    "open_collection",
    "open_prebuilt",
    "plot",
    "rank_as",
    "rerank",
    "search",
    "search_topics",
    "train_adapter",
    "tune_on",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'pyserini_qpeft.notebook' has no attribute {name!r}")
    return getattr(import_module(f"pyserini_qpeft.notebook.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
