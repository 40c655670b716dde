"""A reranker that needs no model: the likelihood of a passage is drawn from its text."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.reranking.requests import Request, Reranked, ask, ranked_hits, text_source
from pyserini_qpeft.scoring.report import ScoringReport


class DrawnReranker(AbstractReranker):
    """Ranks by numbers that depend on its seed, the query and the text; `batches` has the queries of each batch."""

    def __init__(self, seed: int, config: RerankConfig, *, size: int = 10, seconds: float = 0.0) -> None:
        self.seed, self.config, self.size, self.seconds = seed, config.for_model(None), size, seconds
        self.batches: list[list[str]] = []
        self.last_report = ScoringReport()

    @property
    def query_batch_pairs(self) -> int:
        return self.size

    def likelihood(self, query: str, text: str) -> float:
        drawn = hashlib.sha256(f"{self.seed} {query} {text}".encode()).digest()
        return float(np.float32(-1 - drawn[0] / 64 - drawn[1] / 16384))

    def rerank_query_batches(
        self,
        batches: Iterable[Iterable[Request]],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
        hints: bool = False,
        report: ScoringReport | None = None,
        on_scored: Any = None,
        deadline: Deadline | None = None,
    ) -> Iterator[Reranked]:
        report = ScoringReport() if report is None else report
        texts = text_source(searcher, corpus)
        for batch in batches:
            self.batches.append([])
            for query, hits in batch:
                self.batches[-1].append(query)
                asked = ask((query, hits), 1, texts, self.config.depth)
                if deadline is not None and deadline.seconds_left() <= 0:
                    asked = ask((query, hits), 1, texts, 0)
                likelihoods = [self.likelihood(query, one.text) for one in asked.head]
                time.sleep(self.seconds)
                first = [*(one.score for one in asked.head), *(one.first_stage_score for one in asked.tail)]
                config = self.config
                ranking = rank_hits(
                    likelihoods, first, config.fusion, depth=len(asked.head), below_depth=config.below_depth
                )
                ranked = ranked_hits(asked, np.asarray(likelihoods, dtype=np.float32), ranking)[:k]
                kept = [[f"{self.seed}"] if hit.likelihood is not None else None for hit in ranked] if hints else None
                report.passages += len(asked.head)
                if on_scored is not None:
                    on_scored(len(asked.head))
                yield Reranked(RankedHits(ranked), kept, len(asked.head))

    def explain(self, query: str, text: str) -> Any:
        return self.seed, query, text

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "depth": self.config.depth}
