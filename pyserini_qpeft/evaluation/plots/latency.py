"""Quality against the time per query."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from pyserini_qpeft.evaluation.plots.drawing import MARKERS, SERIES, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas as pd


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield one figure of the runs that record their time."""
    import pandas as pd

    comparison, measure = evaluation.comparison, evaluation.measure
    if comparison.latency:
        points = {
            name: {"milliseconds": 1000 * latency.mean, "value": comparison.scores[name][measure].mean()}
            for name, latency in comparison.latency.items()
        }
        yield "latency", plot_latency(pd.DataFrame(points).T, measure)


def plot_latency(points: "pd.DataFrame", measure: str) -> Figure:
    """Draw quality against time.

    Args:
        points: For each run (index), `milliseconds` per query and the measure's `value`.
        measure: Name of the measure.
    """
    figure, axes = new_figure()
    for place, (name, point) in enumerate(points.iterrows()):
        colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
        axes.plot([point["milliseconds"]], [point["value"]], marker, color=colour, markersize=10, label=str(name))
    times = points["milliseconds"]
    if len(points) > 1 and times.min() > 0 and times.max() / times.min() >= 20:
        axes.set_xscale("log")
    axes.margins(0.15)
    axes.set(xlabel="mean time per query (ms)", ylabel=f"mean {measure}", title=f"{measure} against latency")
    axes.legend()
    return figure
