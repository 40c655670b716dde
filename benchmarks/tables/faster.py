"""What else could make scoring faster: other batch sizes, and the options to compile a model and to quantise it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.context import Context
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Pairs, Scores
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.skipped import Skipped
from benchmarks.turns import Spread, Task, ratio, take_turns
from pyserini_qpeft.reranker import QPeftReranker
from pyserini_qpeft.scoring.batch import plan_batches
from pyserini_qpeft.scoring.packed_rows import pack
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_BATCHES = (1024, 2048, 4096, 8192)
_AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class FasterRow:
    """One way of scoring the bare model's pairs.

    Attributes:
        size: The model.
        dtype: Its dtype.
        what: What is different from scoring as it is.
        pairs: Pairs scored in a turn.
        padding_share: Padding among the tokens that go through the model, which other batches would save.
        first_seconds: The first turn, compiling included.
        times_as_fast: How many times as fast as scoring as it is, in later turns, round by round.
        largest_difference: The most by which a score differs.
    """

    size: str
    dtype: str
    what: str
    pairs: int
    padding_share: float
    first_seconds: float
    times_as_fast: Spread
    largest_difference: float


def measure(context: Context) -> Iterator[FasterRow]:
    """Measures every size in every dtype, without hints."""
    options = context.options
    for size in options.sizes:
        for dtype in options.dtypes:
            try:
                place = ModelFolders(SIZES[size], dtype, options.device, context.work)
            except Skipped:
                continue
            pairs = context.texts.pairs(options.pairs or SIZES[size].pairs)
            yield from _rows(context, place, pairs)


def _rows(context: Context, place: ModelFolders, pairs: Pairs) -> list[FasterRow]:
    name = f"faster, {place.size.name}, {place.dtype}"
    ways = _ways(place, compiled=not context.options.quick)
    scores: dict[str, Scores] = {}
    first = {}
    for what, ours in ways.items():
        context.tell(f"{name}: first turn, {what}")
        start = time.perf_counter()
        scores[what] = ours.predict(pairs)
        first[what] = time.perf_counter() - start
    tasks = {what: Task(partial(ours.predict, pairs), (ours.scorer.model,)) for what, ours in ways.items()}
    turns = take_turns(tasks, context.options.rounds, lambda news: context.tell(f"{name}: {news}"))
    return [
        FasterRow(
            place.size.name,
            place.dtype,
            what,
            len(pairs),
            _padding_share(ours.scorer, pairs),
            first_seconds=first[what],
            times_as_fast=ratio(turns[_AS_IT_IS], turns[what]),
            largest_difference=float(np.abs(scores[what] - scores[_AS_IT_IS]).max()),
        )
        for what, ours in ways.items()
    ]


def _ways(place: ModelFolders, *, compiled: bool) -> dict[str, QPeftReranker]:
    as_it_is = reranker(place)
    scorer = as_it_is.scorer
    ways = {_AS_IT_IS: as_it_is}
    for tokens in _BATCHES:
        config = replace(scorer.config, batch_tokens=tokens)
        ways[f"batches of {tokens:,} tokens"] = QPeftReranker(
            LikelihoodScorer(scorer.model, scorer.encoder.tokenizer, config)
        )
    ways["int8"] = reranker(place, quantize="int8")
    if compiled:
        ways["compiled"] = reranker(place, compile=True)
        ways["int8, compiled"] = reranker(place, quantize="int8", compile=True)
    return ways


def _padding_share(scorer: LikelihoodScorer, pairs: Pairs) -> float:
    sequences = scorer.sequences(pairs)
    lengths = scorer.batch_lengths([[sequences[i] for i in row] for row in pack(sequences, range(len(sequences)))])
    read = sum(len(rows) * max(lengths[row] for row in rows) for rows in plan_batches(lengths, scorer.budget.tokens))
    return 1 - sum(lengths) / read
