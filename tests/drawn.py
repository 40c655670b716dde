"""A reranker that needs no model: the likelihood of a passage is drawn from its text."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.explanation import Explanation
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.reranking.requests import Request, Reranked, ask, ranked_hits
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
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        options = options or CallOptions()
        for batch in batches:
            self.batches.append([])
            for query, hits in batch:
                self.batches[-1].append(query)
                asked = ask((query, hits), 1, options.texts, self.config)
                if options.deadline is not None and options.deadline.seconds_left() <= 0:
                    asked = ask((query, hits), 1, options.texts, replace(self.config, depth=0))
                likelihoods = [self.likelihood(query, one.text) for one in asked.head]
                time.sleep(self.seconds)
                first = [*(one.score for one in asked.head), *(one.first_stage_score for one in asked.tail)]
                config = self.config
                ranking = rank_hits(
                    likelihoods, first, config.fusion, depth=len(asked.head), below_depth=config.below_depth
                )
                ranked = ranked_hits(asked, np.asarray(likelihoods, dtype=np.float32), ranking)[: options.k]
                shown = [[f"{self.seed}"] if hit.likelihood is not None else None for hit in ranked]
                options.report.passages += len(asked.head)
                if options.on_scored is not None:
                    options.on_scored(len(asked.head))
                yield Reranked(RankedHits(ranked), shown if options.hints else None, len(asked.head))

    def explain(self, query: str, text: str) -> Explanation:
        return Explanation(self.likelihood(query, text), (), (), 0, len(text))

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "depth": self.config.depth}
