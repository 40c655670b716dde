"""The gain from reranking against the quality of the first stage."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from pyserini_qpeft.evaluation.plots.drawing import BLACK, MARKERS, SERIES, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield one figure of all runs but the baseline, which counts as the first stage."""
    comparison, measure = evaluation.comparison, evaluation.measure
    if evaluation.others:
        gains = {name: comparison.gains(name, measure) for name in evaluation.others}
        before = comparison.scores[comparison.baseline][measure]
        yield "gain-against-first-stage", plot_gain_against_first_stage(before, gains, measure)


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
    figure, axes = new_figure()
    values = first_stage.to_numpy(dtype=float)
    for place, (name, gain) in enumerate(gains.items()):
        colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
        change = gain.loc[first_stage.index].to_numpy(dtype=float)
        if named:
            axes.plot(values, change, marker, color=colour, markersize=8, label=name)
        else:
            axes.plot(values, change, marker, color=colour, alpha=0.5, markersize=5)
            middles, means = _means_by_fifth(values, change)
            axes.plot(middles, means, "-" + marker, color=colour, markeredgecolor="white", markersize=9, label=name)
    axes.axhline(0, color=BLACK, linewidth=0.8)
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


def _means_by_fifth(
    values: "NDArray[np.floating[Any]]", change: "NDArray[np.floating[Any]]"
) -> tuple[list[float], list[float]]:
    # Queries of equal value stay in one part, so that the means do not depend on their order; there may be fewer than
    # five parts.
    edges = np.unique(np.quantile(values, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf"))
    fifth = np.searchsorted(edges, values)
    parts = [fifth == place for place in np.unique(fifth)]
    return [float(values[part].mean()) for part in parts], [float(change[part].mean()) for part in parts]
