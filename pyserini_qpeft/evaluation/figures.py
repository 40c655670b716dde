"""The plots of a comparison and of a sweep over depths and fusion weights."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.evaluation.comparison import Comparison
from pyserini_qpeft.evaluation.plots import (
    plot_depth,
    plot_fusion_weight,
    plot_gain_against_first_stage,
    plot_latency,
    plot_query_gains,
)
from pyserini_qpeft.evaluation.sweep import DEFAULT_WEIGHTS, TwoStageRun, depths_within, judged_only, reach, sweep
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison_figures(comparison: Comparison) -> Iterator[tuple[str, "Figure"]]:
    """Yield a name and a figure for each plot of the first measure: gains, gains by first stage, latency."""
    import pandas as pd

    measure, baseline = comparison.measures[0], comparison.baseline
    others = [name for name in comparison.scores if name != baseline]
    for place, name in enumerate(others, start=1):
        yield f"query-gains-{place}", plot_query_gains(comparison.gains(name, measure), name, baseline, measure)
    if others:
        gains = {name: comparison.gains(name, measure) for name in others}
        yield (
            "gain-against-first-stage",
            plot_gain_against_first_stage(comparison.scores[baseline][measure], gains, measure),
        )
    if comparison.latency:
        points = {
            name: {"milliseconds": 1000 * latency.mean, "value": comparison.scores[name][measure].mean()}
            for name, latency in comparison.latency.items()
        }
        yield "latency", plot_latency(pd.DataFrame(points).T, measure)


def sweep_figures(
    runs: Mapping[str, TwoStageRun], qrels: Qrels, measure: str, chosen: RerankConfig | None = None
) -> Iterator[tuple[str, "Figure"]]:
    """Yield plots of quality against depth and against fusion weight, for runs with the scores of both stages.

    Args:
        runs: Runs by name.
        qrels: Qrels.
        measure: Name of the measure.
        chosen: The configuration chosen on dev queries. The plot against depth uses its fusion; the plot against
            weights uses its depth and marks its weight. None: the default fusion with the weight of the shipped
            model, and the depth of the run.
    """
    fusion = (chosen.fusion if chosen is not None else None) or FusionConfig()
    weight = fusion.for_model(None).weight
    assert weight is not None
    by_depth, by_weight, first_stage = {}, {}, []
    for name, run in runs.items():
        judged = judged_only(run, qrels)
        deepest = reach(judged)
        curves = sweep(judged, qrels, measure, depths_within(judged), (0.0, weight, 1.0), fusion)
        by_depth[f"{name}, likelihood alone"] = curves[1.0]
        by_depth[f"{name}, fused ({weight:g})"] = curves[weight]
        first_stage.append(float(curves[0.0].iloc[0]))
        depth = min(chosen.depth, deepest) if chosen is not None and chosen.depth is not None else deepest
        by_weight[name] = sweep(judged, qrels, measure, [depth], DEFAULT_WEIGHTS, fusion).iloc[0]
    if not runs:
        return
    # A line for the first stage is drawn only if all runs have the same first stage.
    same = max(first_stage) - min(first_stage) < 1e-9
    yield "depth", plot_depth(by_depth, measure, first_stage[0] if same else None)
    marks = dict.fromkeys(by_weight, weight) if chosen is not None else None
    yield "fusion-weight", plot_fusion_weight(by_weight, measure, marks)
