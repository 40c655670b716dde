"""The main table: our scoring and that of other libraries, for several models and dtypes, on the same pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks.arithmetic import Arithmetic, Reading
from benchmarks.context import Context
from benchmarks.machine import PeakMeter
from benchmarks.memory import in_own_process
from benchmarks.rivals import rival
from benchmarks.rivals.rival import Loaded
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.skipped import Skipped
from benchmarks.subjects import peak_of_scoring
from benchmarks.turns import Spread, Task, Turn, ratio, take_turns

_WARM_UP = 8  # pairs


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """One way of scoring with one model.

    Attributes:
        size: Name of the model.
        dtype: Dtype of the model.
        way: Name of the way of scoring.
        skipped: Why the row was not measured; None if it was.
        pairs: Pairs per turn.
        pairs_per_second: Median over turns.
        tokens_per_second: Median over turns; tokens that the model reads, padding not counted, a shared passage once.
        peak_tflops: Peak of the machine in this dtype, 10^12 operations per second, median over turns.
        peak_share: Operations per second divided by the peak of the same round. Padding, logits that no score needs and
            repeated reading of a shared passage do not count as operations.
        memory_mib: Peak memory above the loaded model, measured in a separate process.
        outside_seconds: Median seconds per turn outside the model's forward pass.
        against: Name of our way of scoring that it is compared with.
        times_as_long: Time divided by ours, round by round.
        times_unshared: Time divided by ours when each pair reads its own passage, round by round.
    """

    size: str
    dtype: str
    way: str
    skipped: str | None = None
    pairs: int | None = None
    pairs_per_second: float | None = None
    tokens_per_second: float | None = None
    peak_tflops: float | None = None
    peak_share: float | None = None
    memory_mib: float | None = None
    outside_seconds: float | None = None
    against: str | None = None
    times_as_long: Spread | None = None
    times_unshared: Spread | None = None


def measure(context: Context) -> Iterator[SpeedRow]:
    """Measures each model in each dtype."""
    for size in context.options.sizes:
        for dtype in context.options.dtypes:
            yield from _Group(context, size, dtype).rows()


@dataclass
class _Group:
    """The ways of scoring with one model in one dtype, which run in turn."""

    context: Context
    size: str
    dtype: str
    skipped: dict[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[SpeedRow]:
        options, size = self.context.options, SIZES[self.size]
        try:
            places = {dtype: ModelFolders(size, dtype, options.device, self.context.work) for dtype in self._dtypes()}
        except Skipped as reason:
            yield SpeedRow(self.size, self.dtype, "all", str(reason))
            return
        pairs = self.context.texts.pairs(options.pairs or size.pairs)
        loaded = self._load(places)
        for way in loaded.values():
            way.score(pairs[:_WARM_UP])
        peaks: dict[str, list[float]] = {dtype: [] for dtype in self._dtypes()}
        turns = take_turns(self._tasks(loaded, pairs, peaks), options.rounds, self._log)
        readings = {name: way.readings(pairs) for name, way in loaded.items()}
        arithmetic = Arithmetic.of(next(_bare(way.model) for name, way in loaded.items() if name.startswith("ours")))
        loaded.clear()
        if options.device.startswith("cuda"):
            torch.cuda.empty_cache()  # the processes that measure memory need the space
        for name in options.rivals:
            if name in self.skipped:
                yield SpeedRow(self.size, self._dtype(name), name, self.skipped[name])
                continue
            self._log(f"memory of {name}")
            memory = in_own_process(peak_of_scoring, name, places[self._dtype(name)], pairs)
            peak = peaks[self._dtype(name)]
            row = self._row(name, turns, len(pairs), memory)
            yield replace(row, **_work(readings[name], turns[name], arithmetic, peak))

    def _load(self, places: Mapping[str, ModelFolders]) -> dict[str, Loaded]:
        """Loads all ways of scoring that this machine can run, and our own, with which the others are compared."""
        names = dict.fromkeys(["ours", *(rival(name).against for name in self._asked), *self._asked])
        loaded = {}
        for name in names:
            self._log(f"loading {name}")
            try:
                loaded[name] = rival(name).load(places[self._dtype(name)])
            except Skipped as reason:
                self.skipped[name] = str(reason)
        return loaded

    def _tasks(
        self, loaded: Mapping[str, Loaded], pairs: Sequence[tuple[str, str]], peaks: Mapping[str, list[float]]
    ) -> dict[str, Task]:
        options = self.context.options
        tasks = {name: Task(partial(way.score, pairs), (way.model,)) for name, way in loaded.items()}
        for dtype, measured in peaks.items():
            meter = PeakMeter(getattr(torch, dtype), options.device, small=options.quick)
            tasks[f"peak {dtype}"] = Task(partial(_add_peak, meter, measured))
        return tasks

    def _row(self, name: str, turns: Mapping[str, list[Turn]], pairs: int, memory: int) -> SpeedRow:
        against = rival(name).against
        unshared = turns.get(f"{against}, unshared")
        return SpeedRow(
            self.size,
            self._dtype(name),
            name,
            pairs=pairs,
            pairs_per_second=pairs / median(turn.seconds for turn in turns[name]),
            memory_mib=memory / 2**20,
            outside_seconds=median(turn.outside for turn in turns[name]),
            against=f"{against} {self._dtype(against)}",
            times_as_long=ratio(turns[name], turns[against]),
            times_unshared=ratio(turns[name], unshared) if unshared else None,
        )

    @property
    def _asked(self) -> tuple[str, ...]:
        return self.context.options.rivals

    def _dtype(self, name: str) -> str:
        return rival(name).dtype or self.dtype

    def _dtypes(self) -> list[str]:
        return sorted({self.dtype, *(self._dtype(name) for name in self._asked)})

    def _log(self, message: str) -> None:
        self.context.log(f"speed, {self.size}, {self.dtype}: {message}")


def _work(
    readings: Sequence[Reading], turns: Sequence[Turn], arithmetic: Arithmetic, peaks: Sequence[float]
) -> dict[str, float]:
    """Returns speed and share of the peak as columns of a row."""
    operations, seconds = arithmetic.operations(readings), [turn.seconds for turn in turns]
    share = median(operations / took / peak for took, peak in zip(seconds, peaks, strict=True))
    tokens = sum(reading.tokens for reading in readings)
    return {"peak_tflops": median(peaks) / 1e12, "tokens_per_second": tokens / median(seconds), "peak_share": share}


def _add_peak(meter: PeakMeter, measured: list[float]) -> None:
    measured.append(meter.measure())


def _bare(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
