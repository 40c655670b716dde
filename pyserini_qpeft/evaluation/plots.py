"""Plots of runs: gains per query, and quality against depth, fusion weight, first stage and latency.

Each function gives a matplotlib figure that belongs to nobody (no pyplot, no window); `save_plot` writes it.
Colours are Okabe and Ito's, and every series differs in its marker too.
"""

import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.runs.files import telling_write_errors

if TYPE_CHECKING:
    import pandas as pd

_BLACK, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _RED, _PINK = color_sequences["okabe_ito"]
_SERIES = (_BLUE, _RED, _GREEN, _PINK, _SKY, _ORANGE)
_MARKERS = "osD^vPX"


def plot_query_gains(gains: "pd.Series[float]", run: str, baseline: str, measure: str) -> Figure:
    """Sorted bars: what the run gains or loses on each query.

    Args:
        gains: the run minus the baseline, by qid.
        run: name of the run.
        baseline: name of the run it is held against.
        measure: name of the measure.
    """
    figure, axes = _figure()
    ordered = np.sort(gains.to_numpy())[::-1]
    wins, losses = int((ordered > 0).sum()), int((ordered < 0).sum())
    places = np.arange(1, len(ordered) + 1)
    width = 1.0 if len(ordered) > 60 else 0.85
    for chosen, colour, hatch, label in (
        (ordered > 0, _BLUE, "", f"better on {wins:,}"),
        (ordered < 0, _RED, "///", f"worse on {losses:,}"),
    ):
        axes.bar(
            places[chosen],
            ordered[chosen],
            width,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=label,
        )
    axes.plot([], [], " ", label=f"equal on {len(ordered) - wins - losses:,}")
    mean = float(ordered.mean()) if len(ordered) else 0.0
    axes.axhline(0, color=_BLACK, linewidth=0.8)
    axes.axhline(mean, color=_BLACK, linewidth=1.2, linestyle="--", label=f"mean {mean:+.4f}")
    axes.set(
        xlabel="queries, from the largest gain to the largest loss",
        ylabel=f"difference in {measure}",
        title=textwrap.fill(f"{run} minus {baseline}, {len(ordered):,} queries", 70),
        xlim=(0.4, len(ordered) + 0.6),
    )
    axes.legend()
    return figure


def plot_depth(curves: Mapping[str, "pd.Series[float]"], measure: str, first_stage: float | None = None) -> Figure:
    """Quality against the number of hits rescored.

    Args:
        curves: for each run, values of the measure by depth.
        measure: name of the measure.
        first_stage: the first stage's value, drawn as a line.
    """
    figure, axes = _figure()
    _draw_curves(axes, curves)
    if first_stage is not None:
        axes.axhline(first_stage, color=_BLACK, linestyle="--", linewidth=1.2, label=f"first stage {first_stage:.4f}")
    depths = sorted({int(depth) for curve in curves.values() for depth in curve.index})
    if len(depths) > 1 and depths[0] > 0 and depths[-1] / depths[0] >= 8:
        axes.set_xscale("log")
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.minorticks_off()
    axes.set(xlabel="depth (hits rescored per query)", ylabel=f"mean {measure}", title=f"{measure} against depth")
    axes.legend()
    return figure


def plot_fusion_weight(
    curves: Mapping[str, "pd.Series[float]"], measure: str, chosen: Mapping[str, float] | None = None
) -> Figure:
    """Quality against the likelihood's share of the fused score.

    Args:
        curves: for each run, values of the measure by weight, 0 to 1.
        measure: name of the measure.
        chosen: for some of the runs, the weight chosen on the dev queries, marked on its curve.
    """
    figure, axes = _figure()
    _draw_curves(axes, curves)
    for name, weight in (chosen or {}).items():
        curve = curves[name].sort_index()
        value = float(np.interp(weight, curve.index.to_numpy(dtype=float), curve.to_numpy(dtype=float)))
        axes.plot(
            [weight],
            [value],
            marker="*",
            markersize=17,
            linestyle="none",
            color=_YELLOW,
            markeredgecolor=_BLACK,
            zorder=5,
            label=f"chosen on dev: {weight:g} ({value:.4f})",
        )
    axes.set(
        xlabel="fusion weight of the likelihood (0: first stage alone, 1: likelihood alone)",
        ylabel=f"mean {measure}",
        title=f"{measure} against fusion weight",
        xlim=(-0.03, 1.03),
    )
    axes.legend()
    return figure


def plot_gain_against_first_stage(
    first_stage: "pd.Series[float]", gains: Mapping[str, "pd.Series[float]"], measure: str, *, named: bool = False
) -> Figure:
    """What reranking gains where the first stage was good, and where it was not.

    Args:
        first_stage: value of the measure before reranking, for each query or for each first stage.
        gains: for each run, its gain over that, with the same index.
        measure: name of the measure.
        named: write the index above the points; for first stages, of which there are few.
    """
    figure, axes = _figure()
    values = first_stage.to_numpy(dtype=float)
    for place, (name, gain) in enumerate(gains.items()):
        colour, marker = _SERIES[place % len(_SERIES)], _MARKERS[place % len(_MARKERS)]
        change = gain.loc[first_stage.index].to_numpy(dtype=float)
        if named:
            axes.plot(values, change, marker, color=colour, markersize=8, label=name)
        else:
            axes.plot(values, change, marker, color=colour, alpha=0.5, markersize=5)
            middles, means = _means_by_fifth(values, change)
            axes.plot(middles, means, "-" + marker, color=colour, markeredgecolor="white", markersize=9, label=name)
    if named:
        highest = np.max([gain.loc[first_stage.index].to_numpy(dtype=float) for gain in gains.values()], axis=0)
        for label, x, y in zip(first_stage.index, values, highest, strict=True):
            axes.annotate(str(label), (x, y), (0, 8), textcoords="offset points", fontsize=9, ha="center")
    axes.axhline(0, color=_BLACK, linewidth=0.8)
    axes.margins(x=0.12 if named else 0.03, y=0.12)
    axes.set(
        xlabel=f"{measure} of the first stage"
        + ("" if named else " (points: queries; lines: means of fifths of them)"),
        ylabel=f"gain in {measure}",
        title="Gain against the quality of the first stage",
    )
    axes.legend()
    return figure


def plot_latency(points: "pd.DataFrame", measure: str) -> Figure:
    """Quality against time.

    Args:
        points: for each run (index), `milliseconds` per query and the measure's `value`.
        measure: name of the measure.
    """
    figure, axes = _figure()
    for place, (name, point) in enumerate(points.iterrows()):
        colour, marker = _SERIES[place % len(_SERIES)], _MARKERS[place % len(_MARKERS)]
        axes.plot([point["milliseconds"]], [point["value"]], marker, color=colour, markersize=10, label=str(name))
    times = points["milliseconds"]
    if len(points) > 1 and times.min() > 0 and times.max() / times.min() >= 20:
        axes.set_xscale("log")
    axes.margins(0.15)
    axes.set(xlabel="mean time per query (ms)", ylabel=f"mean {measure}", title=f"{measure} against latency")
    axes.legend()
    return figure


def save_plot(figure: Figure, path: Path) -> None:
    """Write a figure; the suffix says how (.png, .svg, .pdf).

    Raises:
        QPeftError: a suffix that matplotlib cannot write, or a place that cannot be written.
    """
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lstrip(".")
    if kind not in known:
        raise QPeftError(f"cannot write {path}: plots end in one of {', '.join(f'.{suffix}' for suffix in known)}")
    drawn = io.BytesIO()
    figure.savefig(drawn, format=kind, dpi=150)
    with telling_write_errors(path):
        path.write_bytes(drawn.getvalue())


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_curves(axes: Axes, curves: Mapping[str, "pd.Series[float]"]) -> None:
    for place, (name, curve) in enumerate(curves.items()):
        ordered = curve.sort_index()
        axes.plot(
            ordered.index.to_numpy(dtype=float),
            ordered.to_numpy(dtype=float),
            marker=_MARKERS[place % len(_MARKERS)],
            color=_SERIES[place % len(_SERIES)],
            markersize=5,
            label=name,
        )


def _means_by_fifth(values: np.ndarray[Any, Any], change: np.ndarray[Any, Any]) -> tuple[list[float], list[float]]:
    order = np.argsort(values, kind="stable")
    fifths = [part for part in np.array_split(order, 5) if len(part)]
    return [float(values[part].mean()) for part in fifths], [float(change[part].mean()) for part in fifths]
