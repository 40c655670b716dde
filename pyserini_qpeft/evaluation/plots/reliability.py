"""Reliability diagram: the share of relevant hits against their probability."""

from collections.abc import Iterator, Mapping

from matplotlib.figure import Figure

from pyserini_qpeft.evaluation.plots.drawing import BLACK, LINES, MARKERS, SERIES, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
from pyserini_qpeft.evaluation.reliability import Reliability


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield one figure if a run has probabilities."""
    if evaluation.comparison.reliability:
        yield "reliability", plot_reliability(evaluation.comparison.reliability)


def plot_reliability(runs: Mapping[str, Reliability]) -> Figure:
    """Draw the share of relevant hits in each bin of probabilities, with 95 % Wilson intervals.

    Args:
        runs: The reliability of each run.
    """
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=BLACK, linestyle="--", linewidth=1.2, label="perfect")
    for place, (name, run) in enumerate(runs.items()):
        shares = [one.relevant for one in run.bins]
        axes.errorbar(
            [one.probability for one in run.bins],
            shares,
            yerr=(
                [max(0.0, one.relevant - one.low) for one in run.bins],
                [max(0.0, one.high - one.relevant) for one in run.bins],
            ),
            linestyle=LINES[place % len(LINES)],
            marker=MARKERS[place % len(MARKERS)],
            color=SERIES[place % len(SERIES)],
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label=f"{name}: {run.hits:,} hits, calibration error {run.error:.3f}",
        )
    axes.set(
        xlabel="probability of relevance (mean of each bin)",
        ylabel="share of relevant hits",
        title="Reliability of probabilities",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
    )
    axes.legend()
    return figure
