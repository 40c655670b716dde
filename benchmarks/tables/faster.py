"""Other ways to make scoring faster: larger batches, a compiled model, a quantized model."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.context import Context
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Pairs
from benchmarks.sizes import ModelFolders
from benchmarks.turns import Spread, Task, ratio, take_turns
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.batch import plan_batches
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_BATCHES = (1024, 2048, 8192)
_AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class FasterRow:
    """One way of scoring the bare model's pairs.

    Attributes:
        size: Name of the model.
        dtype: Dtype of the model.
        what: The difference from the default.
        skipped: Why the row was not measured; None if it was.
        pairs: Pairs per turn.
        padding_share: Share of padding in the tokens that go through the model.
        loading_seconds: Seconds until the first pair is scored, compiling included.
        times_as_fast: Speed divided by that of the default, in later turns, round by round.
        largest_difference: Largest difference of a score from the default.
    """

    size: str
    dtype: str
    what: str
    skipped: str | None = None
    pairs: int | None = None
    padding_share: float | None = None
    loading_seconds: float | None = None
    times_as_fast: Spread | None = None
    largest_difference: float | None = None


def measure(context: Context) -> Iterator[FasterRow]:
    """Measures every size in every dtype, without hints."""
    for place, pairs in context.models():
        yield from _rows(context, place, pairs)


def _rows(context: Context, place: ModelFolders, pairs: Pairs) -> list[FasterRow]:
    name = f"faster, {place.size.name}, {place.dtype}"
    ways: dict[str, QPeftReranker] = {}
    loading: dict[str, float] = {}
    skipped = []
    for what, load in _ways(place, compiled=not context.options.quick).items():
        context.log(f"{name}: loading {what}")
        start = time.perf_counter()
        try:
            ways[what] = load()
        except QPeftError as error:
            skipped.append(FasterRow(place.size.name, place.dtype, what, skipped=str(error)))
            continue
        loading[what] = time.perf_counter() - start
    scores = {what: ours.predict(pairs) for what, ours in ways.items()}
    tasks = {what: Task(partial(ours.predict, pairs), (ours.scorer.model,)) for what, ours in ways.items()}
    turns = take_turns(tasks, context.options.rounds, lambda message: context.log(f"{name}: {message}"))
    measured = [
        FasterRow(
            place.size.name,
            place.dtype,
            what,
            pairs=len(pairs),
            padding_share=_padding_share(ours.scorer, pairs),
            loading_seconds=loading[what],
            times_as_fast=ratio(turns[_AS_IT_IS], turns[what]),
            largest_difference=float(np.abs(scores[what] - scores[_AS_IT_IS]).max()),
        )
        for what, ours in ways.items()
    ]
    return [*measured, *skipped]


def _ways(place: ModelFolders, *, compiled: bool) -> dict[str, Callable[[], QPeftReranker]]:
    ways = {_AS_IT_IS: partial(reranker, place)}
    ways |= {f"batches of {tokens:,} tokens": partial(reranker, place, batch_tokens=tokens) for tokens in _BATCHES}
    ways["int8"] = partial(reranker, place, quantize="int8")
    if compiled:
        ways["compiled"] = partial(reranker, place, compile=True)
        ways["int8, compiled"] = partial(reranker, place, quantize="int8", compile=True)
    return dict(ways)


def _padding_share(scorer: LikelihoodScorer, pairs: Pairs) -> float:
    sequences = scorer.sequences(pairs)
    tokens = read = 0
    for rows in scorer.planner.rows(sequences):
        lengths = scorer.row_scorer.lengths([[sequences[i] for i in row] for row in rows])
        tokens += sum(lengths)
        read += sum(len(b) * max(lengths[i] for i in b) for b in plan_batches(lengths, scorer.row_scorer.budget.tokens))
    return 1 - tokens / read
