"""What the demo runs: an index, the first stage, the likelihoods, and both together, each measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, ScoredDoc, Topics
from pyserini_qpeft.demo.collection import DemoCollection
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse

if TYPE_CHECKING:
    import pandas as pd

    from pyserini_qpeft.reranking.reranker import QPeftReranker

DEPTH = 100
MEASURES = ("nDCG@10", "RR@10", "R@100")


@dataclass(frozen=True, slots=True)
class Stages:
    """The final lists of every question after each stage, by descending score.

    Attributes:
        first_stage: BM25 as Pyserini ranks.
        likelihood: The same hits by the likelihood alone.
        fused: The same hits by both scores together.
    """

    first_stage: list[RankedList]
    likelihood: list[RankedList]
    fused: list[RankedList]

    def named(self) -> dict[str, list[RankedList]]:
        """The lists by the stage's name for a reader."""
        return {"BM25": self.first_stage, "likelihood": self.likelihood, "fused": self.fused}


def open_index(collection: DemoCollection, folder: Path) -> tuple[Any, bool]:
    """Open the index of the collection, built now unless it is there already from the very same documentation.

    Args:
        collection: What to index.
        folder: Place of the index; a file with the collection's fingerprint stands beside it.

    Returns:
        A Pyserini `LuceneSearcher`, and whether the index was built.
    """
    from pyserini_qpeft.lucene import build_index, open_searcher
    from pyserini_qpeft.lucene.stored import is_index

    fingerprint = folder.with_name(f"{folder.name}.sha256")
    known = fingerprint.read_text() if fingerprint.is_file() else ""
    stale = known != collection.fingerprint or not is_index(folder)
    if stale:
        fingerprint.unlink(missing_ok=True)
        build_index(collection.folder, folder, overwrite=True)
        with atomic_write(fingerprint) as file:
            file.write(collection.fingerprint)
    return open_searcher(folder), stale


def rank_in_stages(
    searcher: Any, topics: Topics, reranker: "QPeftReranker", fusion: FusionConfig | None = None
) -> Stages:
    """Search every question, and rerank what is found.

    Args:
        searcher: A Pyserini searcher.
        topics: The questions.
        reranker: Gives the likelihoods; its own fusion must be off.
        fusion: How the two scores become one.
    """
    hits = {qid: searcher.search(question, k=DEPTH) for qid, question in topics.items()}
    reranked = reranker.rerank_batch((topics[qid], hits[qid]) for qid in topics)
    likelihood = [RankedList(qid, topics[qid], ranked) for qid, ranked in zip(topics, reranked, strict=True)]
    return Stages(
        [RankedList(qid, topics[qid], first_stage_hits(hits[qid])) for qid in topics],
        likelihood,
        [replace(ranked, hits=fused(ranked.hits, fusion or FusionConfig())) for ranked in likelihood],
    )


def fused(hits: Sequence[RankedHit], fusion: FusionConfig) -> list[RankedHit]:
    """Rescored hits by the two scores together; equal ones keep the first stage's order."""
    by_first_stage = sorted(hits, key=lambda hit: hit.first_stage_rank)
    likelihoods = [hit.likelihood for hit in by_first_stage if hit.likelihood is not None]
    # In single precision, as trec_eval reads scores: see `QPeftReranker`.
    scores = fuse([hit.first_stage_score for hit in by_first_stage], likelihoods, fusion).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return [replace(by_first_stage[at], score=float(scores[at]), rank=rank) for rank, at in enumerate(order, start=1)]


def measure(stages: Mapping[str, Sequence[RankedList]], qrels: Qrels) -> "pd.DataFrame":
    """The mean of each measure after each stage: stages by measures."""
    import pandas as pd

    from pyserini_qpeft.evaluation.measures import score_queries

    means = {}
    for name, lists in stages.items():
        run = {ranked.qid: [ScoredDoc(hit.docid, hit.score) for hit in ranked.hits] for ranked in lists}
        means[name] = score_queries(run, qrels, MEASURES).mean()
    return pd.DataFrame(means).T
