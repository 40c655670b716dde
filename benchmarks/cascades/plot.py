"""The table of the chains, and their plot: nDCG@10 against seconds per query, with the efficient front."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.cascades.chains import Point, front, over_all
from benchmarks.cascades.score import LARGE, SMALL
from pyserini_qpeft.evaluation.plots.drawing import BLACK, BLUE, GREEN, ORANGE, RED, save_plot


def table(measured: Mapping[str, Sequence[Point]]) -> str:
    """For each collection BM25, the models alone and the front, as Markdown.

    The time is given as a share of the full model's, which is the large one on its own at its greatest depth.
    """
    lines = [
        "| collection | queries | chain | nDCG@10 | less than full | s/query | time / full | multiply-adds / full |",
        "| --- | --: | --- | --: | --: | --: | --: | --: |",
    ]
    for name, points in measured.items():
        full = _full(points)
        shown = {id(point): point for point in [points[0], *_alone(points), *front(points), *quarter(points)]}
        for point in sorted(shown.values(), key=lambda one: one.seconds):
            words = " → ".join(map(str, point.chain)) or "BM25"
            mark = " *" if point in quarter(points) else ""
            lines.append(
                f"| {name} | {len(point.ndcg)} | {words}{mark} | {point.mean:.4f} | {full.mean - point.mean:+.4f} | "
                f"{point.seconds:.2f} | {point.seconds / full.seconds:.2f} | "
                f"{point.multiply_adds / full.multiply_adds:.2f} |"
            )
    return "\n".join(lines)


def quarter(points: Sequence[Point]) -> list[Point]:
    """For each depth of the first stage, the chain with the deepest second stage within a quarter of full time.

    Chains with a margin are left out, because their depth differs from query to query.
    """
    full = _full(points)
    deepest: dict[int, Point] = {}
    for point in points:
        if len(point.chain) == 2 and not _has_margin(point) and point.seconds <= full.seconds / 4:
            depth = point.chain[0].depth
            if depth not in deepest or point.chain[1].depth > deepest[depth].chain[1].depth:
                deepest[depth] = point
    return list(deepest.values())


def draw(measured: Mapping[str, Sequence[Point]], file: Path) -> None:
    """Draw a panel for each collection, and one for all."""
    panels = {**measured, "mean of the collections": over_all(measured)}
    columns = 2 if len(panels) in (2, 4) else min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows), layout="constrained")
    for axes, (name, points) in zip(figure.subplots(rows, columns, squeeze=False).flat, panels.items(), strict=False):
        _panel(axes, points)
        of = "" if name.startswith("mean") else f" ({len(points[0].ndcg)} queries)"
        axes.set(title=f"{name}{of}", xscale="log", xlabel="seconds per query, one core", ylabel="nDCG@10")
    for axes in figure.axes[len(panels) :]:
        axes.set_visible(False)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    save_plot(figure, file)


def _panel(axes: Axes, points: Sequence[Point]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.8)
    axes.axhline(points[0].mean, color=BLACK, linestyle=":", linewidth=1, label="BM25")
    both = [point for point in points if len(point.chain) == 2 and not _has_margin(point)]
    series = {f"{SMALL} alone": (_of(points, SMALL), "s", BLUE), "SmolLM2 alone": (_of(points, LARGE), "D", RED)}
    series[f"{SMALL}, then SmolLM2"] = both, "o", GREEN
    series["the same, within a margin"] = [point for point in points if _has_margin(point)], "^", ORANGE
    for label, (of, marker, colour) in series.items():
        axes.plot([p.seconds for p in of], [p.mean for p in of], marker, color=colour, markersize=4, label=label)
    best = [point for point in front(points) if point.chain]
    axes.plot([p.seconds for p in best], [p.mean for p in best], "-", color=BLACK, linewidth=1, label="efficient front")
    full = _full(points)
    axes.axvline(full.seconds / 4, color="0.6", linestyle="--", linewidth=1, label="1/4 of the full time")


def _has_margin(point: Point) -> bool:
    return any(stage.margin is not None for stage in point.chain)


def _alone(points: Sequence[Point]) -> list[Point]:
    return [max(_of(points, model), key=lambda point: point.chain[0].depth) for model in (SMALL, LARGE)]


def _of(points: Sequence[Point], model: str) -> list[Point]:
    return [point for point in points if len(point.chain) == 1 and point.chain[0].model == model]


def _full(points: Sequence[Point]) -> Point:
    return max(_of(points, LARGE), key=lambda point: point.chain[0].depth)
