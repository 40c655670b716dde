"""The share of a query's time at depth 100 that is outside the model: texts, hints, batches, ranking."""

from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks.context import Context
from benchmarks.rivals.ours import reranker
from benchmarks.tables.row import HintsRow
from benchmarks.texts import Topic
from benchmarks.turns import Task, take_turns
from pyserini_qpeft.reranking.reranker import QPeftReranker

VARIANTS = ("none", "retrieval", "attention")


@dataclass(frozen=True, slots=True)
class OutsideRow(HintsRow):
    """One kind of hints.

    Attributes:
        queries: Queries per turn, each with one call of `rerank`.
        pairs: Hits of these queries.
        milliseconds_per_query: Median over turns.
        outside_milliseconds_per_query: Milliseconds of them outside the model's forward pass.
        outside_share: The second divided by the first, median over turns.
    """

    queries: int
    pairs: int
    milliseconds_per_query: float
    outside_milliseconds_per_query: float
    outside_share: float


def measure(context: Context) -> list[OutsideRow]:
    """Measures the small model in the last of the dtypes, with each kind of hints."""
    options = context.options
    place = context.small_model()
    topics = context.texts.full(options.outside_queries)
    rerankers = {variant: reranker(place, variant) for variant in VARIANTS}
    for ours in rerankers.values():
        _rerank(ours, topics[:1])
    tasks = {variant: Task(partial(_rerank, ours, topics), (ours.scorer.model,)) for variant, ours in rerankers.items()}
    turns = take_turns(tasks, options.rounds, lambda message: context.log(f"outside: {message}"))
    return [
        OutsideRow(
            place.size.name,
            place.dtype,
            variant,
            queries=len(topics),
            pairs=sum(len(topic.passages) for topic in topics),
            milliseconds_per_query=1000 * median(turn.seconds for turn in turns[variant]) / len(topics),
            outside_milliseconds_per_query=1000 * median(turn.outside for turn in turns[variant]) / len(topics),
            outside_share=median(turn.outside / turn.seconds for turn in turns[variant]),
        )
        for variant in VARIANTS
    ]


def _rerank(ours: QPeftReranker, topics: list[Topic]) -> None:
    for topic in topics:
        hits = [(str(rank), text, -float(rank)) for rank, text in enumerate(topic.passages)]
        ours.rerank(topic.query, hits)
