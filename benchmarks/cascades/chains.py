"""Every chain of two models on the scores of `benchmarks.cascades.score`: what it finds, and what it costs.

No model runs here. A chain is ranked by the ranking rule of the package. Its cost is the tokens that each stage reads
times the seconds per token of that model; the multiply-adds are the tokens times the weights of the model's layers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.cascades.score import ADAPTERS, LARGE, LARGE_DEPTH, LARGE_SECOND_DEPTH, SMALL
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, ScoredDoc
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig, FusionMethod
from pyserini_qpeft.reranking.ranking import rank_hits

SECOND_WEIGHT = 0.75
"""Fusion weight of the large model behind the small one, chosen on development queries (docs/cascades.md)."""

MARGINS = (0.5, 1.0, 1.5, 2.0)
MARGIN_WEIGHT = 0.8
"""The same with a margin, where likelihoods and scores are fused as they are (`linear`)."""

LAYER_WEIGHTS = {SMALL: 2_030_000, LARGE: 106_200_000}
"""Weights that each token is multiplied with: those of the layers, without embeddings."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A model, its depth, the weight of its likelihood, the method of fusion, and its margin."""

    model: str
    depth: int
    weight: float
    method: FusionMethod = "zscore"
    margin: float | None = None

    @property
    def config(self) -> RerankConfig:
        """How the stage reranks."""
        return RerankConfig(depth=self.depth, margin=self.margin, fusion=FusionConfig(self.method, self.weight))

    @property
    def words(self) -> str:
        """The stage as it is written on a command line."""
        margin = "" if self.margin is None else f"~{self.margin:g}"
        return f"{self.model}+{ADAPTERS[self.model]}@{self.depth}{margin}:{self.method}:{self.weight:g}"

    def __str__(self) -> str:
        margin = "" if self.margin is None else f"~{self.margin:g}"
        return f"{self.model.partition('-')[0]}@{self.depth}{margin}"


Chain = tuple[Stage, ...]
"""The stages, first to last; none is BM25 alone."""


@dataclass(frozen=True)
class Scored:
    """The scored queries of one collection.

    Attributes:
        name: Name of the collection.
        queries: The records of `score_block`.
        qrels: Their qrels.
        seconds: Seconds per token of each model.
    """

    name: str
    queries: Sequence[Mapping[str, Any]]
    qrels: Qrels
    seconds: Mapping[str, float]

    @classmethod
    def read(cls, shared: Path, folder: Path, split: str) -> "Scored":
        """The scores in a folder of `benchmarks.cascades.score`."""
        queries = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        qrels = read_qrels(BeirFolder(shared / "data" / folder.name).qrels(split))
        timed = json.loads((folder / "seconds.json").read_text())
        seconds = {name: one["seconds"] / one["tokens"] for name, one in timed.items()}
        return cls(folder.name, queries, {one["qid"]: qrels[one["qid"]] for one in queries}, seconds)


@dataclass(frozen=True, slots=True)
class Point:
    """What a chain finds and costs on one collection.

    Attributes:
        chain: The chain.
        ndcg: nDCG@10 of each query.
        seconds: Mean seconds of a query, on one idle core.
        multiply_adds: Mean number of a query.
    """

    chain: Chain
    ndcg: dict[str, float]
    seconds: float
    multiply_adds: float

    @property
    def mean(self) -> float:
        """nDCG@10, the mean over the queries."""
        return fmean(self.ndcg.values())


def chains(deepest: int = LARGE_DEPTH) -> list[Chain]:
    """BM25, each model alone, and every chain of the small model and the large one.

    Args:
        deepest: How many of BM25's hits the large model has scored; the small one has scored at least as many.
    """
    small_depths = (10, 20, 50, 100) if deepest == LARGE_DEPTH else (5, 10, 20)
    small = [Stage(SMALL, depth, _own_weight(SMALL)) for depth in small_depths]
    large = [Stage(LARGE, depth, _own_weight(LARGE)) for depth in (2, 3, 5, 7, 10, 15, 20, 30, 50) if depth <= deepest]
    seconds = [replace(stage, weight=SECOND_WEIGHT) for stage in large if stage.depth <= LARGE_SECOND_DEPTH]
    seconds += [with_margin(margin) for margin in MARGINS]
    both = [(first, second) for first in small for second in seconds if second.depth <= first.depth]
    return [(), *((stage,) for stage in [*small, *large]), *both]


def with_margin(margin: float, weight: float = MARGIN_WEIGHT) -> Stage:
    """The large model behind the small one, on hits within a margin."""
    return Stage(LARGE, LARGE_SECOND_DEPTH, weight, "linear", margin)


def measure(chain: Chain, scored: Scored) -> Point:
    """Rank the queries of a collection by a chain."""
    run, seconds, products = {}, [], []
    for query in scored.queries:
        ranked, tokens = rank(chain, query)
        run[query["qid"]] = ranked
        seconds.append(sum(scored.seconds[stage.model] * count for stage, count in zip(chain, tokens, strict=True)))
        products.append(sum(LAYER_WEIGHTS[stage.model] * count for stage, count in zip(chain, tokens, strict=True)))
    ndcg = score_queries(run, scored.qrels, ["nDCG@10"]).iloc[:, 0].to_dict()
    return Point(chain, ndcg, fmean(seconds), fmean(products))


def rank(chain: Chain, query: Mapping[str, Any]) -> tuple[list[ScoredDoc], list[int]]:
    """The list of a query after a chain, and the tokens that each stage reads."""
    hits, tokens = [(docid, score) for docid, score in query["hits"]], []
    for stage in chain:
        read = stage.config.rescored([score for _, score in hits])
        head = [docid for docid, _ in hits[:read]]
        scores = query[stage.model]
        ranking = rank_hits(
            [scores["likelihoods"][docid] for docid in head],
            [score for _, score in hits],
            stage.config.fusion,
            depth=read,
        )
        tokens.append(sum(scores["tokens"][docid] for docid in head))
        hits = [(hits[place][0], score) for place, score in zip(ranking.order, ranking.scores, strict=True)]
    return [ScoredDoc(docid, score) for docid, score in hits], tokens


def front(points: Sequence[Point]) -> list[Point]:
    """The efficient front: the points that no cheaper point equals, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (one.seconds, -one.mean)):
        if not best or point.mean > best[-1].mean:
            best.append(point)
    return best


def over_all(measured: Mapping[str, Sequence[Point]]) -> list[Point]:
    """Each chain over all collections: nDCG@10 and cost are means over collections, each with the same weight."""
    joined = []
    for points in zip(*measured.values(), strict=True):
        means = {name: point.mean for name, point in zip(measured, points, strict=True)}
        cost = fmean(point.seconds for point in points), fmean(point.multiply_adds for point in points)
        joined.append(Point(points[0].chain, means, *cost))
    return joined


def _own_weight(model: str) -> float:
    weight = FusionConfig().for_model(model).weight
    assert weight is not None
    return weight
