"""Results: the hits of many queries, from the first stage or reranked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.candidates.hits import to_candidates
from pyserini_qpeft.checks import check_count
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, Run, ScoredDoc
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.errors import QPeftError, counted
from pyserini_qpeft.notebook.collection import Collection
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits

if TYPE_CHECKING:
    import pandas as pd

    from pyserini_qpeft.reranking.protocol import Reranker


class Results(Mapping[str, RankedHits]):
    """The hits of each query, by qid.

    Args:
        collection: Where the queries and passages come from.
        split: The split whose qrels judge the hits.
        hits: Hits by qid, each list in rank order.

    Attributes:
        collection: As given.
        split: As given.
    """

    def __init__(self, collection: Collection, split: str, hits: Mapping[str, RankedHits]) -> None:
        self.collection = collection
        self.split = split
        self._hits = dict(hits)

    def __getitem__(self, qid: str) -> RankedHits:
        return self._hits[qid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hits)

    def __len__(self) -> int:
        return len(self._hits)

    def __repr__(self) -> str:
        hits = sum(map(len, self._hits.values()))
        return f"{counted(len(self), 'query')} of {self.collection.name} ({self.split}), {counted(hits, 'hit')}"

    @property
    def qrels(self) -> Qrels:
        """The qrels of these queries."""
        judged = self.collection.judged(self.split)
        return {qid: judged[qid] for qid in self if qid in judged}

    @property
    def run(self) -> Run:
        """Docids and scores, as measures take them."""
        return {qid: [ScoredDoc(hit.docid, hit.score) for hit in hits] for qid, hits in self.items()}

    @property
    def lists(self) -> list[RankedList]:
        """The lists, as files hold them."""
        return [RankedList(qid, self.collection.topics[qid], hits) for qid, hits in self.items()]

    def only(self, qids: Iterable[str]) -> "Results":
        """The results of some of the queries."""
        wanted = set(qids)
        return Results(self.collection, self.split, {qid: hits for qid, hits in self.items() if qid in wanted})

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each hit: qid, query, the attributes of `RankedHit`, and the grade (0 if it is not judged)."""
        import pandas as pd

        qrels = self.qrels
        frames = []
        for qid, hits in self.items():
            frame = hits.to_dataframe()
            frame.insert(0, "qid", qid)
            frame.insert(1, "query", self.collection.topics[qid])
            frame["grade"] = [qrels.get(qid, {}).get(hit.docid, 0) for hit in hits]
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def search(collection: Collection, query: str, k: int = 10) -> RankedHits:
    """Search for one query; the hits of the first stage, with their texts.

    Args:
        collection: The collection.
        query: The query.
        k: Number of hits.
    """
    check_count(k, "k")
    return _first_stage(collection.searcher.search(query, k=k))


def search_topics(
    collection: Collection, k: int = 100, *, split: str = "test", qids: Iterable[str] | None = None
) -> Results:
    """Search for the judged queries of a collection.

    Args:
        collection: The collection.
        k: Number of hits of each query.
        split: Split whose queries are searched.
        qids: Some of its queries; None is all.

    Raises:
        QPeftError: There is no such split, one of the qids is not in it, or `k` is negative.
    """
    check_count(k, "k")
    judged = collection.judged(split)
    wanted = list(judged if qids is None else qids)
    if missing := [qid for qid in wanted if qid not in judged]:
        raise QPeftError(f"query {missing[0]} is not in the split {split} of {collection.name}.")
    found = collection.searcher.batch_search([collection.topics[qid] for qid in wanted], wanted, k=k)
    return Results(collection, split, {qid: _first_stage(found.get(qid, [])) for qid in wanted})


def rerank(results: Results, reranker: "Reranker") -> Results:
    """Rerank results; both scores of every hit are kept, so that `rank_as` can rank them in other ways.

    Args:
        results: Of the first stage.
        reranker: The reranker, see `load_reranker`.
    """
    topics = results.collection.topics
    ranked = reranker.rerank_batch([(topics[qid], hits) for qid, hits in results.items()])
    return Results(results.collection, results.split, dict(zip(results, ranked, strict=True)))


def rank_as(results: Results, *, fusion: FusionConfig | None = None, depth: int | None = None) -> Results:
    """Rank reranked results in another way, without the model.

    Args:
        results: Reranked results.
        fusion: How likelihood and first-stage score become one; None is the likelihood alone.
        depth: How many of the first stage's hits count as rescored; None is all.

    Raises:
        QPeftError: A hit within the depth has no likelihood.
    """
    config = RerankConfig(depth=depth, fusion=fusion)
    ranked = {qid: _rank_as(qid, hits, config) for qid, hits in results.items()}
    return Results(results.collection, results.split, ranked)


def write(results: Results, path: Path | str, form: str = "trec") -> Path:
    """Write results as a run, in one of the formats of `qpeft rerank --output-format`; the path is returned."""
    write_run(path, results.lists, form)
    return Path(path)


def _first_stage(hits: Iterable[object]) -> RankedHits:
    return RankedHits(
        RankedHit(one.docid, one.score, rank, one.score, rank, text=one.text)
        for rank, one in enumerate(to_candidates(hits), start=1)
    )


def _rank_as(qid: str, hits: RankedHits, config: RerankConfig) -> RankedHits:
    listed = sorted(hits, key=lambda hit: hit.first_stage_rank)
    likelihoods = [hit.likelihood for hit in listed[: config.depth] if hit.likelihood is not None]
    if len(likelihoods) < len(listed[: config.depth]):
        raise QPeftError(f"query {qid}: not all hits have a likelihood; rerank the results first, and deep enough.")
    ranking = rank_hits(likelihoods, [hit.first_stage_score for hit in listed], config.fusion, depth=config.depth)
    return RankedHits(
        replace(listed[place], score=score, rank=rank)
        for rank, (place, score) in enumerate(zip(ranking.order, ranking.scores, strict=True), start=1)
    )
