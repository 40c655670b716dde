"""Many queries over the same passages: each pair alone, passages shared, and with the passage cache."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.context import Context
from benchmarks.memory import Watermark, in_own_process
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Scores
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.tables.row import HintsRow
from benchmarks.texts import Topic
from benchmarks.turns import Spread, Task, ratio, take_turns
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_ALONE = "each pair by itself"
_MEMORY_QUERIES = 100


@dataclass(frozen=True, slots=True)
class CacheRow(HintsRow):
    """One way of scoring a pool.

    Attributes:
        way: Each pair alone; passages shared by the queries of a query batch, which is the default; or with a passage
            cache, one query at a time, as in a service.
        pairs: Pairs per turn.
        passages: Distinct passages of these pairs.
        pairs_per_second: Median over turns; each turn starts with an empty cache.
        memory_mib: Peak memory above the loaded model, cache included, over the first hundred queries, measured in a
            separate process.
        outside_seconds: Median seconds per turn outside the model's forward pass.
        times_as_fast: Speed divided by that of each pair alone, round by round.
        largest_difference: Largest difference of a score from that of the pair alone.
    """

    way: str
    pairs: int
    passages: int
    pairs_per_second: float
    memory_mib: float
    outside_seconds: float
    times_as_fast: Spread
    largest_difference: float


def measure(context: Context) -> Iterator[CacheRow]:
    """Measures the small model in each dtype."""
    for dtype in context.options.dtypes:
        yield from _rows(context, dtype)


def _rows(context: Context, dtype: str) -> list[CacheRow]:
    options = context.options
    place = ModelFolders(SIZES[options.small_model], dtype, options.device, context.work)
    lists = context.texts.filled() if options.cache_filled else context.texts.topics
    topics = lists[: options.cache_queries]
    ways = {
        _ALONE: _Way({"share_passages": False}),
        "passages shared": _Way({}),
        f"cache of {options.cache_mib:,} MiB, query by query": _Way(
            {"passage_cache_bytes": options.cache_mib * 2**20}, one_by_one=True
        ),
    }
    scores: dict[str, Scores] = {}
    tasks = {name: _Pool(place, options.cache_variant, way, topics).task(scores, name) for name, way in ways.items()}
    turns = take_turns(tasks, options.rounds, lambda message: context.log(f"cache, {dtype}: {message}"))
    pairs = sum(len(topic.passages) for topic in topics)
    rows = []
    for name, way in ways.items():
        context.log(f"cache, {dtype}: memory, {name}")
        memory = in_own_process(_peak, place, options.cache_variant, way, topics[:_MEMORY_QUERIES])
        rows.append(
            CacheRow(
                options.small_model,
                dtype,
                options.cache_variant,
                name,
                pairs=pairs,
                passages=len({passage for topic in topics for passage in topic.passages}),
                pairs_per_second=pairs / median(turn.seconds for turn in turns[name]),
                memory_mib=memory / 2**20,
                outside_seconds=median(turn.outside for turn in turns[name]),
                times_as_fast=ratio(turns[_ALONE], turns[name]),
                largest_difference=float(np.abs(scores[name] - scores[_ALONE]).max()),
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Way:
    """Settings of the scorer, and whether queries are scored one by one or all together."""

    scoring: dict[str, Any]
    one_by_one: bool = False

    def score(self, ours: QPeftReranker, topics: Sequence[Topic]) -> Scores:
        """Returns the scores of all pairs, in the order of the topics' passages."""
        requests = [
            (topic.query, [(str(place), text, 0.0) for place, text in enumerate(topic.passages)]) for topic in topics
        ]
        reranked = (
            (ours.rerank(query, hits) for query, hits in requests) if self.one_by_one else ours.rerank_stream(requests)
        )
        scores = []
        for hits in reranked:
            in_order = sorted(hits, key=lambda hit: hit.first_stage_rank)
            scores.append(np.array([hit.score for hit in in_order], dtype=np.float32))
        return np.concatenate(scores)


class _Pool:
    """Scores all topics, with a cache that is empty at the start of each turn."""

    def __init__(self, place: ModelFolders, variant: str, way: _Way, topics: Sequence[Topic]) -> None:
        self._ours = reranker(place, variant, **way.scoring)
        self._way = way
        self._topics = topics
        way.score(_emptied(self._ours), topics[:1])

    def task(self, scores: dict[str, Scores], name: str) -> Task:
        """Returns the task of one turn, which writes its scores to `scores[name]`."""

        def run() -> None:
            scores[name] = self._way.score(_emptied(self._ours), self._topics)

        return Task(run, (self._ours.scorer.model,))


def _emptied(ours: QPeftReranker) -> QPeftReranker:
    """Returns the reranker with an empty cache."""
    scorer = ours.scorer
    return QPeftReranker(LikelihoodScorer(scorer.model, scorer.encoder.tokenizer, scorer.config), ours.config)


def _peak(place: ModelFolders, variant: str, way: _Way, topics: Sequence[Topic]) -> int:
    ours = reranker(place, variant, **way.scoring)
    with Watermark(place.device, [ours.scorer.model]) as watermark:
        way.score(ours, topics)
    return watermark.above
