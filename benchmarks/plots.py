"""Plots of the tables: time compared with ours, share of the peak, and speed of longer runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_BLACK, _ORANGE, _SKY, _GREEN, _, _BLUE, _RED, _PINK = color_sequences["okabe_ito"]
_OURS, _OTHERS = _BLUE, _ORANGE


def draw(tables: Mapping[str, Sequence[Any]]) -> Figure | None:
    """Draws the tables that have a plot as one figure; None if there are none."""
    speed = [row for row in tables.get("speed", ()) if row.skipped is None]
    growth = tables.get("growth", ())
    panels: list[tuple[Callable[[Axes, Sequence[Any]], None], Sequence[Any]]] = []
    panels += [(_times, speed), (_shares, speed)] if speed else []
    panels += [(_growth_speed, growth), (_growth_memory, growth)] if growth else []
    if not panels:
        return None
    rows = len(panels) // 2
    heights = ([1.5 + 0.3 * len(speed)] if speed else []) + ([3.2] if growth else [])
    figure = Figure(figsize=(13, sum(heights)), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False, height_ratios=heights)
    for axes, (panel, of) in zip(grid.flat, panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        panel(axes, of)
    return figure


def _times(axes: Axes, rows: Sequence[Any]) -> None:
    spreads = [row.times_as_long for row in rows]
    medians = [spread.median for spread in spreads]
    reach = [
        [spread.median - spread.low for spread in spreads],
        [spread.high - spread.median for spread in spreads],
    ]
    axes.barh(range(len(rows)), medians, color=_colours(rows))
    axes.errorbar(medians, range(len(rows)), xerr=reach, fmt="none", ecolor=_BLACK, elinewidth=1, capsize=2)
    for place, value in enumerate(medians):
        axes.annotate(f"{value:.1f}", (reach[1][place] + value, place), (4, -3), textcoords="offset points", fontsize=8)
    axes.axvline(1, color=_BLACK, linewidth=1)
    axes.margins(x=0.12, y=0.01)
    _name(axes, rows)
    axes.set(xlabel="bar: median, line: range of the rounds", title="Time over ours in the same round")


def _shares(axes: Axes, rows: Sequence[Any]) -> None:
    axes.barh(range(len(rows)), [100 * (row.peak_share or 0) for row in rows], color=_colours(rows))
    axes.margins(y=0.01)
    axes.set_yticks(range(len(rows)), [])
    axes.invert_yaxis()
    axes.set(xlabel="% of the peak in that dtype", title="Share of the machine's matrix-product peak")


def _growth_speed(axes: Axes, rows: Sequence[Any]) -> None:
    lengths = [row.pairs for row in rows]
    axes.plot(lengths, [row.pairs_per_second for row in rows], "-o", color=_OURS)
    axes.set(xscale="log", ylim=(0, None), xlabel="pairs in a run", ylabel="pairs a second", title="Longer runs: speed")


def _growth_memory(axes: Axes, rows: Sequence[Any]) -> None:
    lengths = [row.pairs for row in rows]
    axes.plot(lengths, [row.memory_mib for row in rows], "-s", color=_RED)
    axes.set(xscale="log", ylim=(0, None), xlabel="pairs in a run", ylabel="MiB above the model", title="Memory")


def _name(axes: Axes, rows: Sequence[Any]) -> None:
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=8)
    axes.invert_yaxis()


def _label(row: Any) -> str:
    ours, _, dtype = row.against.rpartition(" ")
    other = "" if dtype == row.dtype else f" ({ours}: {dtype})"
    return f"{row.way}, {row.size}, {row.dtype}{other}"


def _colours(rows: Sequence[Any]) -> list[Any]:
    return [_OURS if row.way.startswith("ours") else _OTHERS for row in rows]
