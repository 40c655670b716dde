"""Quality against the number of hits that are rescored."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from pyserini_qpeft.evaluation.plots.drawing import BLACK, draw_curves, new_figure
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
from pyserini_qpeft.evaluation.sweep import depths_within, sweep

if TYPE_CHECKING:
    import pandas as pd


def figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield one figure: each run by the likelihood alone, and fused with the chosen or the default weight."""
    measure, fusion = evaluation.measure, evaluation.fusion
    weight = fusion.weight
    assert weight is not None
    curves, first_stage = {}, []
    for name, run in evaluation.judged.items():
        by_weight = sweep(run, evaluation.qrels, measure, depths_within(run), sorted({0.0, weight, 1.0}), fusion)
        curves[f"{name}, likelihood alone"] = by_weight[1.0]
        curves[f"{name}, fused ({weight:g})"] = by_weight[weight]
        first_stage.append(float(by_weight[0.0].iloc[0]))
    if curves:
        # A line for the first stage is drawn only if all runs have the same first stage.
        same = max(first_stage) - min(first_stage) < 1e-9
        yield "depth", plot_depth(curves, measure, first_stage[0] if same else None)


def plot_depth(curves: Mapping[str, "pd.Series[float]"], measure: str, first_stage: float | None = None) -> Figure:
    """Draw quality against the number of hits that are rescored.

    Args:
        curves: For each run, values of the measure by depth.
        measure: Name of the measure.
        first_stage: Value of the first stage, drawn as a line.
    """
    figure, axes = new_figure()
    draw_curves(axes, curves)
    if first_stage is not None:
        axes.axhline(first_stage, color=BLACK, linestyle="--", linewidth=1.2, label=f"first stage {first_stage:.4f}")
    depths = sorted({int(depth) for curve in curves.values() for depth in curve.index})
    if len(depths) > 1 and depths[0] > 0 and depths[-1] / depths[0] >= 8:
        axes.set_xscale("log")
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.minorticks_off()
    axes.set(xlabel="depth (hits rescored per query)", ylabel=f"mean {measure}", title=f"{measure} against depth")
    axes.legend()
    return figure
