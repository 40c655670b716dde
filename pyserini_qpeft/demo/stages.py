"""The steps of the demo: an index, the first stage, the likelihood alone, both fused, and their measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, ScoredDoc, Topics
from pyserini_qpeft.demo.collection import DemoCollection
from pyserini_qpeft.reranking.ranking import rank_hits

if TYPE_CHECKING:
    import pandas as pd

    from pyserini_qpeft.reranking.reranker import QPeftReranker

DEPTH = 100
MEASURES = ("nDCG@10", "RR@10")


@dataclass(frozen=True, slots=True)
class Stages:
    """The lists of every question in three rankings, by descending score.

    Attributes:
        first_stage: The hits of BM25, as Pyserini ranks them.
        likelihood: The same hits ranked by the likelihood alone.
        fused: The same hits ranked by the fused score.
    """

    first_stage: list[RankedList]
    likelihood: list[RankedList]
    fused: list[RankedList]

    def named(self) -> dict[str, list[RankedList]]:
        """The lists by the name that the demo shows."""
        return {"BM25": self.first_stage, "likelihood": self.likelihood, "fused": self.fused}


def open_index(collection: DemoCollection, folder: Path) -> tuple[Any, bool]:
    """Open the index of the collection; build it if there is none, or one of other documentation.

    Args:
        collection: What to index.
        folder: The index; a file beside it holds the collection's fingerprint.

    Returns:
        A Pyserini `LuceneSearcher`, and whether the index was built.
    """
    from pyserini_qpeft.lucene import open_searcher

    stale = is_stale(collection, folder)
    if stale:
        index_collection(collection, folder)
    return open_searcher(folder), stale


def is_stale(collection: DemoCollection, folder: Path) -> bool:
    """Whether a folder holds no index, or one of other documentation."""
    from pyserini_qpeft.lucene.kinds import is_lucene_index

    fingerprint = _fingerprint_file(folder)
    return not fingerprint.is_file() or fingerprint.read_text() != collection.fingerprint or not is_lucene_index(folder)


def index_collection(collection: DemoCollection, folder: Path) -> None:
    """Build the index of the collection, in place of one that is there."""
    from pyserini_qpeft.lucene import build_index

    fingerprint = _fingerprint_file(folder)
    fingerprint.unlink(missing_ok=True)
    build_index(collection.folder, folder, overwrite=True)
    with atomic_write(fingerprint) as file:
        file.write(collection.fingerprint)


def _fingerprint_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sha256")


def rank_in_stages(searcher: Any, topics: Topics, reranker: "QPeftReranker") -> Stages:
    """Search every question, and rerank the hits.

    Args:
        searcher: A Pyserini searcher.
        topics: The questions.
        reranker: Reranks with fusion, and without a depth.
    """
    hits = {qid: searcher.search(question, k=DEPTH) for qid, question in topics.items()}
    reranked = reranker.rerank_batch((topics[qid], hits[qid]) for qid in topics)
    fused = [RankedList(qid, topics[qid], ranked) for qid, ranked in zip(topics, reranked, strict=True)]
    return Stages(
        [RankedList(qid, topics[qid], first_stage_hits(hits[qid])) for qid in topics],
        [replace(ranked, hits=_by_likelihood(ranked.hits)) for ranked in fused],
        fused,
    )


def _by_likelihood(hits: Sequence[RankedHit]) -> list[RankedHit]:
    """Reranked hits ranked by the likelihood alone."""
    by_first_stage = sorted(hits, key=lambda hit: hit.first_stage_rank)
    likelihoods = [hit.likelihood for hit in by_first_stage if hit.likelihood is not None]
    ranking = rank_hits(likelihoods, [hit.first_stage_score for hit in by_first_stage], None)
    return [
        replace(by_first_stage[place], score=score, rank=rank)
        for rank, (place, score) in enumerate(zip(ranking.order, ranking.scores, strict=True), start=1)
    ]


def measure(stages: Mapping[str, Sequence[RankedList]], qrels: Qrels) -> "pd.DataFrame":
    """The mean of each measure over the questions: a frame of rankings by measures."""
    import pandas as pd

    from pyserini_qpeft.evaluation.measures import score_queries

    means = {}
    for name, lists in stages.items():
        run = {ranked.qid: [ScoredDoc(hit.docid, hit.score) for hit in ranked.hits] for ranked in lists}
        means[name] = score_queries(run, qrels, MEASURES).mean()
    return pd.DataFrame(means).T
