"""Reranking with query-dependent prompts (Q-PEFT, arXiv 2404.04522) as a stage in Pyserini pipelines."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
    from pyserini_qpeft.candidates.records import Candidate
    from pyserini_qpeft.cascade.reranker import CascadeReranker
    from pyserini_qpeft.data.ranked_hits import RankedHits
    from pyserini_qpeft.data.records import RankedHit
    from pyserini_qpeft.errors import QPeftError
    from pyserini_qpeft.qpeft.config import QPeftConfig
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.fusion import FusionConfig
    from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run
    from pyserini_qpeft.reranking.reranker import QPeftReranker
    from pyserini_qpeft.reranking.searcher import RerankingSearcher
    from pyserini_qpeft.scoring.config import ScoringConfig
    from pyserini_qpeft.windows.config import WindowConfig

__version__ = "0.1.0"

_HOME = {
    "AdaptiveReranker": "adaptive.reranker",
    "Candidate": "candidates.records",
    "CascadeReranker": "cascade.reranker",
    "FusionConfig": "reranking.fusion",
    "QPeftConfig": "qpeft.config",
    "QPeftError": "errors",
    "QPeftReranker": "reranking.reranker",
    "RankedHit": "data.records",
    "RankedHits": "data.ranked_hits",
    "RerankConfig": "reranking.config",
    "RerankingSearcher": "reranking.searcher",
    "RunConfig": "reranking.rerank_run",
    "ScoringConfig": "scoring.config",
    "WindowConfig": "windows.config",
    "rerank_run": "reranking.rerank_run",
}

__all__ = [
    "AdaptiveReranker",
    "Candidate",
    "CascadeReranker",
    "FusionConfig",
    "QPeftConfig",
    "QPeftError",
    "QPeftReranker",
    "RankedHit",
    "RankedHits",
    "RerankConfig",
    "RerankingSearcher",
    "RunConfig",
    "ScoringConfig",
    "WindowConfig",
    "rerank_run",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'pyserini_qpeft' has no attribute {name!r}")
    return getattr(import_module(f"pyserini_qpeft.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
