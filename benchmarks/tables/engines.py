"""A pretrained model in each dtype, and in other programs, on the same pairs in one run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import torch

from benchmarks.arithmetic import Arithmetic
from benchmarks.context import Context
from benchmarks.machine import PeakMeter
from benchmarks.rivals import rival
from benchmarks.rivals.rival import Loaded, Pairs
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.skipped import Skipped
from benchmarks.turns import Spread, Task, Turn, ratio, take_turns
from pyserini_qpeft.errors import QPeftError

WAYS = (
    "ours",
    "ours, unshared",
    "ours, int8",
    "ours, int8, unshared",
    "plain Hugging Face",
    "CrossEncoder",
    "llama.cpp",
)
_REFERENCE = "ours, unshared"
_WARM_UP = 8  # pairs

Way = tuple[str, str]


@dataclass(frozen=True, slots=True)
class EnginesRow:
    """One way of scoring in one dtype.

    Attributes:
        size: Name of the model.
        way: Name of the way of scoring.
        dtype: Dtype of the model; for llama.cpp and int8 that of the activations.
        skipped: Why the row was not measured; None if it was.
        pairs: Pairs per turn.
        pairs_per_second: Median over turns.
        peak_tflops: Peak of the machine in this dtype, 10^12 operations per second, median over turns.
        peak_share: As in the table `speed`.
        outside_share: Share of the time outside the model's forward pass, median over turns.
        times_float32: Speed divided by that of `ours, unshared` in float32, round by round.
        times_bfloat16: Speed divided by that of `ours, unshared` in bfloat16, round by round.
        mean_difference: Mean absolute difference of a score to `ours, unshared` in float32; None for classifiers.
    """

    size: str
    way: str
    dtype: str
    skipped: str | None = None
    pairs: int | None = None
    pairs_per_second: float | None = None
    peak_tflops: float | None = None
    peak_share: float | None = None
    outside_share: float | None = None
    times_float32: Spread | None = None
    times_bfloat16: Spread | None = None
    mean_difference: float | None = None


def measure(context: Context) -> Iterator[EnginesRow]:
    """Measures every way in every dtype, in turn."""
    options = context.options
    size = SIZES[options.engines_model]
    places = {dtype: ModelFolders(size, dtype, options.device, context.work) for dtype in options.dtypes}
    pairs = context.texts.pairs(options.pairs or size.pairs)
    loaded: dict[Way, Loaded] = {}
    skipped = []
    for way in WAYS:
        for dtype in [only for only in (rival(way).dtype,) if only] or options.dtypes:
            context.log(f"engines, {dtype}: loading {way}")
            try:
                loaded[way, dtype] = rival(way).load(places.get(dtype, next(iter(places.values()))))
            except (Skipped, QPeftError) as reason:
                skipped.append(EnginesRow(size.name, way, dtype, skipped=str(reason)))
    yield from _measured(context, size.name, loaded, pairs)
    yield from skipped


def _measured(context: Context, size: str, loaded: dict[Way, Loaded], pairs: Pairs) -> Iterator[EnginesRow]:
    options = context.options
    if not loaded:
        return
    scores = {way: one.score(pairs) for way, one in loaded.items() if way[0] != "CrossEncoder"}
    for one in loaded.values():
        one.score(pairs[:_WARM_UP])
    peaks: dict[str, list[float]] = {dtype: [] for dtype in options.dtypes}
    tasks = {" ".join(way): Task(partial(one.score, pairs), (one.model,)) for way, one in loaded.items()}
    for dtype, measured in peaks.items():
        meter = PeakMeter(getattr(torch, dtype), options.device, small=options.quick)
        tasks[f"peak {dtype}"] = Task(partial(_add_peak, meter, measured))
    turns = take_turns(tasks, options.rounds, lambda message: context.log(f"engines: {message}"))
    base = {dtype: turns.get(f"{_REFERENCE} {dtype}") for dtype in ("float32", "bfloat16")}
    exact = scores.get((_REFERENCE, "float32"))
    for way, one in loaded.items():
        name, dtype = way
        taken, found = turns[" ".join(way)], scores.get(way)
        integers = "int8" in name or name == "llama.cpp"
        yield EnginesRow(
            size,
            name,
            "GGUF" if name == "llama.cpp" else dtype,
            pairs=len(pairs),
            pairs_per_second=len(pairs) / median(turn.seconds for turn in taken),
            peak_tflops=None if integers else median(peaks[dtype]) / 1e12,
            peak_share=None if integers else _share(one, pairs, taken, peaks[dtype]),
            outside_share=None if name == "llama.cpp" else median(turn.outside / turn.seconds for turn in taken),
            times_float32=_times(base["float32"], taken),
            times_bfloat16=_times(base["bfloat16"], taken),
            mean_difference=None if exact is None or found is None else float(np.abs(found - exact).mean()),
        )


def _share(one: Loaded, pairs: Pairs, turns: list[Turn], peaks: list[float]) -> float:
    operations = Arithmetic.of(one.model).operations(one.readings(pairs))
    return median(operations / turn.seconds / peak for turn, peak in zip(turns, peaks, strict=True))


def _times(base: list[Turn] | None, taken: list[Turn]) -> Spread | None:
    return None if base is None else ratio(base, taken)


def _add_peak(meter: PeakMeter, measured: list[float]) -> None:
    measured.append(meter.measure())
