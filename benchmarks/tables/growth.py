"""Whether longer runs are slower or take more memory: the same work, a thousand pairs and a hundred thousand."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median

from benchmarks.context import Context
from benchmarks.memory import Watermark, in_own_process
from benchmarks.rivals.ours import reranker
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.texts import DEPTH, cut_texts
from benchmarks.turns import Spread, Task, Turn, take_turns
from pyserini_qpeft.reranking.reranker import QPeftReranker

_MODEL = "tiny"
Request = tuple[str, list[tuple[str, str, float]]]


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """A run of some length.

    Attributes:
        pairs: Its length.
        pairs_per_second: Median over turns.
        times_as_fast: Its pairs a second over those of the shortest run, round by round.
        outside_share: Share of the time outside the model's forward, median over turns.
        memory_mib: Peak memory above the loaded model, in a process of its own.
    """

    pairs: int
    pairs_per_second: float
    times_as_fast: Spread
    outside_share: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Queries and passages of which runs of any length are made.

    Every hundred pairs are a query with the next hundred passages; both start anew when they come to an end.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]

    def requests(self, pairs: int) -> Iterator[Request]:
        """Requests with so many hits in all, made one by one."""
        queries, passages = cycle(self.queries), cycle(self.passages)
        for start in range(0, pairs, DEPTH):
            texts = islice(passages, min(DEPTH, pairs - start))
            yield next(queries), [(str(place), text, 0.0) for place, text in enumerate(texts)]


def measure(context: Context) -> list[GrowthRow]:
    """Measures a tiny model, so that what is not the model's weighs most."""
    options = context.options
    place = ModelFolders(SIZES[_MODEL], "float32", options.device, context.work)
    ours = reranker(place)
    passages = cut_texts(list(context.texts.passages), ours.scorer.encoder.tokenizer, options.growth_tokens)
    pool = Pool(tuple(topic.query for topic in context.texts.topics), tuple(passages))
    _run(ours, pool, options.growth_pairs[0])
    tasks = {
        f"{pairs:,} pairs": Task(partial(_run, ours, pool, pairs), (ours.scorer.model,))
        for pairs in options.growth_pairs
    }
    turns = list(take_turns(tasks, options.rounds, lambda news: context.tell(f"growth: {news}")).values())
    rows = []
    for pairs, of in zip(options.growth_pairs, turns, strict=True):
        context.tell(f"growth: memory of {pairs:,} pairs")
        rows.append(
            GrowthRow(
                pairs,
                pairs_per_second=pairs / median(turn.seconds for turn in of),
                times_as_fast=Spread.of(
                    _speed(pairs, turn) / _speed(options.growth_pairs[0], first)
                    for turn, first in zip(of, turns[0], strict=True)
                ),
                outside_share=median(turn.outside / turn.seconds for turn in of),
                memory_mib=in_own_process(_peak, place, pool, pairs) / 2**20,
            )
        )
    return rows


def _speed(pairs: int, turn: Turn) -> float:
    return pairs / turn.seconds


def _run(ours: QPeftReranker, pool: Pool, pairs: int) -> None:
    for _ in ours.rerank_stream(pool.requests(pairs)):
        pass


def _peak(place: ModelFolders, pool: Pool, pairs: int) -> int:
    ours = reranker(place)
    with Watermark(place.device, [ours.scorer.model]) as watermark:
        _run(ours, pool, pairs)
    return watermark.above
