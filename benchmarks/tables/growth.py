"""Speed and memory of runs of a thousand to a hundred thousand pairs."""

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
    """A run with a number of pairs.

    Attributes:
        pairs: Number of pairs.
        pairs_per_second: Median over turns.
        times_as_fast: Speed divided by that of the shortest run, round by round.
        outside_share: Share of the time outside the model's forward pass, median over turns.
        memory_mib: Peak memory above the loaded model, measured in a separate process.
    """

    pairs: int
    pairs_per_second: float
    times_as_fast: Spread
    outside_share: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Queries and passages from which runs of any length are built.

    Every hundred pairs are one query with the next hundred passages; both lists are repeated as often as needed.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]

    def requests(self, pairs: int) -> Iterator[Request]:
        """Yields requests with `pairs` hits in total."""
        queries, passages = cycle(self.queries), cycle(self.passages)
        for start in range(0, pairs, DEPTH):
            texts = islice(passages, min(DEPTH, pairs - start))
            yield next(queries), [(str(place), text, 0.0) for place, text in enumerate(texts)]


def measure(context: Context) -> list[GrowthRow]:
    """Measures a tiny model, because its forward pass takes the smallest share of the time."""
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
    turns = list(take_turns(tasks, options.rounds, lambda message: context.log(f"growth: {message}")).values())
    rows = []
    for pairs, of in zip(options.growth_pairs, turns, strict=True):
        context.log(f"growth: memory of {pairs:,} pairs")
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
