"""Plots of runs: gains per query, and quality against depth, fusion weight, first stage and latency.

Each function returns a matplotlib figure that is not registered with pyplot; `save_plot` writes it to a file. The
colours are those of Okabe and Ito, and each series has a marker of its own.
"""

import secrets
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import color_sequences
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pyserini_qpeft.data.files import user_write_errors
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.significance import EQUAL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_BLACK, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _RED, _PINK = color_sequences["okabe_ito"]
_SERIES = (_BLUE, _RED, _GREEN, _PINK, _SKY, _ORANGE)
_MARKERS = "osD^vPX"
# Line styles with gaps: where two curves coincide, the lower one is visible in the gaps of the upper.
_LINES = ("-", (0, (4, 2)), "-.", (0, (1, 1.5)))


def plot_query_gains(gains: "pd.Series[float]", run: str, baseline: str, measure: str) -> Figure:
    """Draw the gain or loss of a run on each query as sorted bars.

    Args:
        gains: The run minus the baseline, by qid.
        run: Name of the run.
        baseline: Name of the baseline.
        measure: Name of the measure.
    """
    figure, axes = _figure()
    ordered = np.sort(gains.to_numpy())[::-1]
    places = np.arange(1, len(ordered) + 1)
    width = 1.0 if len(ordered) > 60 else 0.85
    keys: list[Artist] = []
    for chosen, colour, hatch, word in (
        (ordered > EQUAL, _BLUE, "", "better"),
        (abs(ordered) <= EQUAL, "none", "", "equal"),
        (ordered < -EQUAL, _RED, "///", "worse"),
    ):
        label = f"{word} on {int(chosen.sum()):,}"
        axes.bar(places[chosen], ordered[chosen], width, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        keys.append(Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=label))
    mean = float(ordered.mean()) if len(ordered) else 0.0
    axes.axhline(0, color=_BLACK, linewidth=0.8)
    keys.append(axes.axhline(mean, color=_BLACK, linewidth=1.2, linestyle="--", label=f"mean {mean:+.4f}"))
    axes.set(
        xlabel="queries, from the largest gain to the largest loss",
        ylabel=f"difference in {measure}",
        title=textwrap.fill(f"{run} minus {baseline}, {len(ordered):,} queries", 70),
        xlim=(0.4, len(ordered) + 0.6),
    )
    axes.legend(handles=keys)
    return figure


def plot_depth(curves: Mapping[str, "pd.Series[float]"], measure: str, first_stage: float | None = None) -> Figure:
    """Draw quality against the number of hits that are rescored.

    Args:
        curves: For each run, values of the measure by depth.
        measure: Name of the measure.
        first_stage: Value of the first stage, drawn as a line.
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
    """Draw quality against the weight of the likelihood in the fused score.

    Args:
        curves: For each run, values of the measure by weight, 0 to 1.
        measure: Name of the measure.
        chosen: For some of the runs, the weight that was chosen on dev queries; it is marked on the curve.
    """
    figure, axes = _figure()
    _draw_curves(axes, curves)
    marks: dict[float, list[float]] = {}
    for name, weight in (chosen or {}).items():
        curve = curves[name].sort_index()
        value = np.interp(weight, curve.index.to_numpy(dtype=float), curve.to_numpy(dtype=float))
        marks.setdefault(weight, []).append(float(value))
    for weight, values in marks.items():
        axes.plot(
            [weight] * len(values),
            values,
            marker="*",
            markersize=17,
            linestyle="none",
            color=_YELLOW,
            markeredgecolor=_BLACK,
            zorder=5,
            label=f"chosen on dev: {weight:g} ({', '.join(f'{value:.4f}' for value in values)})",
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
    """Draw the gain from reranking against the quality of the first stage.

    Args:
        first_stage: Value of the measure before reranking, for each query or for each first stage.
        gains: For each run, its gain over the first stage, with the same index.
        measure: Name of the measure.
        named: Write the names in the index above the points; for an index of a few first stages.
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
    axes.axhline(0, color=_BLACK, linewidth=0.8)
    axes.margins(x=0.05 if named else 0.03, y=0.12)
    axes.set(
        xlabel=f"{measure} of the first stage"
        + ("" if named else " (points: queries; lines: means of fifths of them)"),
        ylabel=f"gain in {measure}",
        title="Gain against the quality of the first stage",
    )
    if named:
        names = axes.secondary_xaxis("top")
        names.set_xticks(values, [str(name) for name in first_stage.index], rotation=30, ha="left", fontsize=9)
        names.tick_params(length=0)
        names.spines["top"].set_visible(False)
        axes.vlines(values, 0, 1, transform=axes.get_xaxis_transform(), color="0.9", linewidth=0.8, zorder=0)
        figure.set_figheight(4.4 + 0.12 * len(gains))
        figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    else:
        axes.legend()
    return figure


def plot_latency(points: "pd.DataFrame", measure: str) -> Figure:
    """Draw quality against time.

    Args:
        points: For each run (index), `milliseconds` per query and the measure's `value`.
        measure: Name of the measure.
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
    """Write a figure in the format that the suffix names (.png, .svg, .pdf), as a whole or not at all.

    Raises:
        QPeftError: Matplotlib cannot write the format, or the file cannot be written.
    """
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lstrip(".")
    if kind not in known:
        raise QPeftError(
            f"cannot write {path}: the name of a plot must end in one of {', '.join(f'.{suffix}' for suffix in known)}"
        )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with user_write_errors(path):
            figure.savefig(draft, format=kind, dpi=150)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
            linestyle=_LINES[place % len(_LINES)],
            marker=_MARKERS[place % len(_MARKERS)],
            color=_SERIES[place % len(_SERIES)],
            markersize=5,
            label=name,
        )


def _means_by_fifth(
    values: "NDArray[np.floating[Any]]", change: "NDArray[np.floating[Any]]"
) -> tuple[list[float], list[float]]:
    # Queries of equal value stay in one part, so that the means do not depend on their order; there may be fewer than
    # five parts.
    edges = np.unique(np.quantile(values, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf"))
    fifth = np.searchsorted(edges, values)
    parts = [fifth == place for place in np.unique(fifth)]
    return [float(values[part].mean()) for part in parts], [float(change[part].mean()) for part in parts]
