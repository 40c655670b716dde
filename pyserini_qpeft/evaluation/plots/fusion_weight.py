"""Quality against the fusion weight."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from pyserini_qpeft.evaluation.plots.drawing import BLACK, YELLOW, draw_curves, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
from pyserini_qpeft.evaluation.sweep import DEFAULT_WEIGHTS, reach, sweep

if TYPE_CHECKING:
    import pandas as pd


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield one figure of all weights at the chosen depth or the depth of the run; the chosen weight is marked."""
    chosen, fusion, curves = evaluation.chosen, evaluation.fusion, {}
    for name, run in evaluation.judged.items():
        deepest = reach(run)
        depth = min(chosen.depth, deepest) if chosen is not None and chosen.depth is not None else deepest
        curves[name] = sweep(run, evaluation.qrels, evaluation.measure, [depth], DEFAULT_WEIGHTS, fusion).iloc[0]
    if curves:
        marks = dict.fromkeys(curves, fusion.weight or 0.0) if chosen is not None else None
        yield "fusion-weight", plot_fusion_weight(curves, evaluation.measure, marks)


def plot_fusion_weight(
    curves: Mapping[str, "pd.Series[float]"], measure: str, chosen: Mapping[str, float] | None = None
) -> Figure:
    """Draw quality against the weight of the likelihood in the fused score.

    Args:
        curves: For each run, values of the measure by weight, 0 to 1.
        measure: Name of the measure.
        chosen: For some of the runs, the weight that was chosen on dev queries; it is marked on the curve.
    """
    figure, axes = new_figure()
    draw_curves(axes, curves)
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
            color=YELLOW,
            markeredgecolor=BLACK,
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
