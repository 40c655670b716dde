"""The passage cache: many queries over the same passages, with it and without."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.context import Context
from benchmarks.memory import Watermark, in_own_process
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.ours_with_cache import emptied
from benchmarks.rivals.rival import Scores
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.texts import Topic
from benchmarks.turns import Spread, Task, ratio, take_turns
from pyserini_qpeft.reranker import QPeftReranker


@dataclass(frozen=True, slots=True)
class CacheRow:
    """Scoring a pool with the cache on or off.

    Attributes:
        size: The model.
        dtype: Its dtype.
        variant: Where hints come from.
        cache: "off", or the cache's limit.
        pairs: Pairs scored in a turn, query after query.
        passages: Distinct passages among them.
        pairs_per_second: Median over turns, each of which starts with an empty cache.
        memory_mib: Peak memory above the loaded model, in a process of its own; the cache is part of it.
        outside_seconds: Median seconds of a turn outside the model's forward.
        times_as_fast: How many times as fast as without the cache, round by round.
        largest_difference: The most by which a score differs from the one without the cache.
    """

    size: str
    dtype: str
    variant: str
    cache: str
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
    limits = {"off": 0, f"{options.cache_mib:,} MiB": options.cache_mib * 2**20}
    scores: dict[str, Scores] = {}
    tasks = {
        name: _Pool(place, options.cache_variant, limit, topics).task(scores, name) for name, limit in limits.items()
    }
    turns = take_turns(tasks, options.rounds, lambda news: context.tell(f"cache, {dtype}: {news}"))
    pairs = sum(len(topic.passages) for topic in topics)
    rows = []
    for name, limit in limits.items():
        context.tell(f"cache, {dtype}: memory with the cache {name}")
        memory = in_own_process(_peak, place, options.cache_variant, limit, topics)
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
                times_as_fast=ratio(turns["off"], turns[name]),
                largest_difference=float(np.abs(scores[name] - scores["off"]).max()),
            )
        )
    return rows


class _Pool:
    """Scores all topics, with a cache that is empty at the start of each turn."""

    def __init__(self, place: ModelFolders, variant: str, limit: int, topics: Sequence[Topic]) -> None:
        self._ours = reranker(place, variant, passage_cache_bytes=limit)
        self._topics = topics
        _score(emptied(self._ours), topics[:1])

    def task(self, scores: dict[str, Scores], name: str) -> Task:
        """The task of one turn, which leaves its scores behind."""

        def run() -> None:
            scores[name] = _score(emptied(self._ours), self._topics)

        return Task(run, (self._ours.scorer.model,))


def _score(ours: QPeftReranker, topics: Sequence[Topic]) -> Scores:
    """Scores of all pairs in the order of the topics' passages."""
    requests = (
        (topic.query, [(str(place), text, 0.0) for place, text in enumerate(topic.passages)]) for topic in topics
    )
    scores = []
    for hits in ours.rerank_stream(requests):
        in_order = sorted(hits, key=lambda hit: hit.first_stage_rank)
        scores.append(np.array([hit.score for hit in in_order], dtype=np.float32))
    return np.concatenate(scores)


def _peak(place: ModelFolders, variant: str, limit: int, topics: Sequence[Topic]) -> int:
    ours = reranker(place, variant, passage_cache_bytes=limit)
    with Watermark(place.device, [ours.scorer.model]) as watermark:
        _score(ours, topics)
    return watermark.above
