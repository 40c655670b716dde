"""What could make scoring faster and is not offered, so that the reasons can be measured again.

Other batch sizes, with the share of padding that packing would save; `torch.compile`; linear layers in 8 bits.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.context import Context
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Scores
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.turns import Spread, Task, ratio, take_turns
from pyserini_qpeft.scoring.batch import plan_batches
from pyserini_qpeft.scoring.budget import TokenBudget
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.scoring.sequences import PairSequence

_BATCHES = (1024, 2048, 4096, 8192)
_AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class TriedRow:
    """One way of scoring the bare model's pairs.

    Attributes:
        size: The model.
        dtype: Its dtype.
        what: What is different from scoring as it is.
        pairs: Pairs scored in a turn.
        padding_share: Padding among the tokens that go through the model; None where batches are as ever.
        first_seconds: The first turn, compiling included.
        times_as_fast: How many times as fast as scoring as it is, in later turns, round by round.
        largest_difference: The most by which a score differs.
    """

    size: str
    dtype: str
    what: str
    pairs: int
    padding_share: float | None
    first_seconds: float
    times_as_fast: Spread
    largest_difference: float


@dataclass
class _Way:
    """A scorer's model and budget, put into it for a turn."""

    scorer: LikelihoodScorer
    sequences: Sequence[PairSequence]
    model: Any
    budget: int | None = None

    def score(self) -> Scores:
        own, budget = self.scorer.model, self.scorer.budget
        self.scorer.model = self.model
        if self.budget is not None:
            self.scorer.budget = TokenBudget(self.budget, self.scorer.device)
        try:
            return self.scorer.score(self.sequences)
        finally:
            self.scorer.model, self.scorer.budget = own, budget

    def padding_share(self) -> float | None:
        if self.budget is None:
            return None
        lengths = [len(sequence.ids) for sequence in self.sequences]
        read = sum(len(rows) * max(lengths[row] for row in rows) for rows in plan_batches(lengths, self.budget))
        return 1 - sum(lengths) / read


def measure(context: Context) -> Iterator[TriedRow]:
    """Measures every size that the device can hold, in float32."""
    options = context.options
    for name in options.sizes:
        size = SIZES[name]
        if size.gpu_only and not options.device.startswith("cuda"):
            continue
        place = ModelFolders(size, "float32", options.device, context.work)
        scorer = reranker(place).scorer
        sequences = scorer.sequences(context.texts.pairs(options.pairs or size.pairs))
        scorer.score(sequences[:8])
        ways = _ways(scorer, sequences, compiled=not options.quick)
        expected = ways[_AS_IT_IS].score()
        first: dict[str, tuple[float, float]] = {}
        for what, way in ways.items():
            context.tell(f"tried, {name}: {what}, first turn")
            start = time.perf_counter()
            difference = float(np.abs(way.score() - expected).max())
            first[what] = (time.perf_counter() - start, difference)
        tasks = {what: Task(way.score) for what, way in ways.items()}
        turns = take_turns(tasks, options.rounds, partial(_tell, context.tell, name))
        for what, way in ways.items():
            yield TriedRow(
                name,
                "float32",
                what,
                len(sequences),
                way.padding_share(),
                first_seconds=first[what][0],
                times_as_fast=ratio(turns[_AS_IT_IS], turns[what]),
                largest_difference=first[what][1],
            )


def _ways(scorer: LikelihoodScorer, sequences: Sequence[PairSequence], *, compiled: bool) -> dict[str, _Way]:
    model = scorer.model
    ways = {_AS_IT_IS: _Way(scorer, sequences, model)}
    for tokens in _BATCHES:
        ways[f"batches of {tokens:,} tokens"] = _Way(scorer, sequences, model, tokens)
    if compiled:
        faster = copy.deepcopy(model)
        faster.model.forward = torch.compile(faster.model.forward, dynamic=True)
        ways["torch.compile"] = _Way(scorer, sequences, faster)
    if scorer.device.type == "cpu":
        with warnings.catch_warnings():
            # torch moves this to another package, which is one of the reasons.
            warnings.simplefilter("ignore")
            linear = {torch.nn.Linear}
            small = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), linear, dtype=torch.qint8)  # type: ignore[no-untyped-call]
        ways["int8 linear layers"] = _Way(scorer, sequences, small)
    return ways


def _tell(tell: Callable[[str], None], size: str, news: str) -> None:
    tell(f"tried, {size}: {news}")
