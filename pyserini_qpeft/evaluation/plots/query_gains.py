"""The gain or loss of a run on each query."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pyserini_qpeft.evaluation.plots.drawing import BLACK, BLUE, RED, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
from pyserini_qpeft.evaluation.significance import EQUAL

if TYPE_CHECKING:
    import pandas as pd


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield a figure for each run but the baseline."""
    comparison, measure = evaluation.comparison, evaluation.measure
    for place, name in enumerate(evaluation.others, start=1):
        gains = comparison.gains(name, measure)
        yield f"query-gains-{place}", plot_query_gains(gains, name, comparison.baseline, measure)


def plot_query_gains(gains: "pd.Series[float]", run: str, baseline: str, measure: str) -> Figure:
    """Draw the gain or loss of a run on each query as sorted bars.

    Args:
        gains: The run minus the baseline, by qid.
        run: Name of the run.
        baseline: Name of the baseline.
        measure: Name of the measure.
    """
    figure, axes = new_figure()
    ordered = np.sort(gains.to_numpy())[::-1]
    places = np.arange(1, len(ordered) + 1)
    width = 1.0 if len(ordered) > 60 else 0.85
    keys: list[Artist] = []
    for chosen, colour, hatch, word in (
        (ordered > EQUAL, BLUE, "", "better"),
        (abs(ordered) <= EQUAL, "none", "", "equal"),
        (ordered < -EQUAL, RED, "///", "worse"),
    ):
        label = f"{word} on {int(chosen.sum()):,}"
        axes.bar(places[chosen], ordered[chosen], width, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        keys.append(Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=label))
    mean = float(ordered.mean()) if len(ordered) else 0.0
    axes.axhline(0, color=BLACK, linewidth=0.8)
    keys.append(axes.axhline(mean, color=BLACK, linewidth=1.2, linestyle="--", label=f"mean {mean:+.4f}"))
    axes.set(
        xlabel="queries, from the largest gain to the largest loss",
        ylabel=f"difference in {measure}",
        title=textwrap.fill(f"{run} minus {baseline}, {len(ordered):,} queries", 70),
        xlim=(0.4, len(ordered) + 0.6),
    )
    axes.legend(handles=keys)
    return figure
