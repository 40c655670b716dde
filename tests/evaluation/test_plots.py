"""Plots show the values they are given, with labels and units, and do not rest on colour alone."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.comparison import ComparisonConfig, compare
from pyserini_qpeft.evaluation.figures import evaluation_figures
from pyserini_qpeft.evaluation.plots.depth import plot_depth
from pyserini_qpeft.evaluation.plots.drawing import save_plot
from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
from pyserini_qpeft.evaluation.plots.fusion_weight import plot_fusion_weight
from pyserini_qpeft.evaluation.plots.gain_against_first_stage import plot_gain_against_first_stage
from pyserini_qpeft.evaluation.plots.latency import plot_latency
from pyserini_qpeft.evaluation.plots.query_gains import plot_query_gains
from pyserini_qpeft.evaluation.sweep import TwoStageHit, rank
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.fixture(scope="module")
def gains() -> pd.Series:
    return pd.Series([0.2, -0.1, 0.0, 0.5, 0.0], index=list("abcde"))


def test_query_gains_are_sorted_bars_with_a_count_of_each_kind(gains):
    figure = plot_query_gains(gains, "q-peft", "bm25", "nDCG@10")
    axes = figure.axes[0]
    bars = [(round(bar.get_x() + bar.get_width() / 2), bar.get_height()) for bar in axes.patches]
    assert sorted(bars) == [(1, 0.5), (2, 0.2), (3, 0.0), (4, 0.0), (5, -0.1)]
    assert legend(figure) == ["better on 2", "equal on 2", "worse on 1", "mean +0.1200"]
    assert "nDCG@10" in axes.get_ylabel()
    assert "q-peft minus bm25" in axes.get_title()


def test_depths_are_the_ticks_and_the_first_stage_is_a_line():
    curve = pd.Series([0.3, 0.4, 0.45], index=[100, 5, 20])
    axes = plot_depth({"q-peft": curve}, "AP", first_stage=0.25).axes[0]
    assert axes.get_lines()[0].get_xdata().tolist() == [5, 20, 100]
    assert axes.get_lines()[0].get_ydata().tolist() == [0.4, 0.45, 0.3]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "20", "100"]
    assert "hits rescored" in axes.get_xlabel()


def test_the_dev_choice_is_marked_on_its_curve():
    curve = pd.Series([0.3, 0.5, 0.4], index=[0.0, 0.5, 1.0])
    figure = plot_fusion_weight({"q-peft": curve}, "AP", {"q-peft": 0.25})
    star = figure.axes[0].get_lines()[1]
    assert (star.get_xdata(), star.get_ydata()) == ([0.25], [0.4])
    assert "chosen on dev: 0.25 (0.4000)" in legend(figure)


def test_one_choice_for_several_runs_is_drawn_once():
    curves = {name: pd.Series([0.3, 0.5], index=[0.0, 1.0]) for name in "ab"}
    figure = plot_fusion_weight(curves, "AP", {"a": 0.5, "b": 0.5})
    assert [text for text in legend(figure) if "dev" in text] == ["chosen on dev: 0.5 (0.4000, 0.4000)"]


def test_the_last_bits_of_a_mean_are_neither_gain_nor_loss():
    figure = plot_query_gains(pd.Series([1e-16, -1e-16, 0.1]), "a", "b", "AP")
    assert legend(figure)[:3] == ["better on 1", "equal on 2", "worse on 0"]


def test_queries_on_which_the_first_stage_was_equal_make_one_mean():
    first_stage = pd.Series([0.0] * 4 + [1.0] * 6)
    gain = pd.Series([0.4, 0.2, 0.0, 0.2, *np.linspace(-0.5, 0, 6)])
    means = plot_gain_against_first_stage(first_stage, {"q-peft": gain}, "RR").axes[0].get_lines()[1]
    assert means.get_xdata().tolist() == [0.0, 1.0]
    assert np.allclose(means.get_ydata(), [0.2, -0.25])


def test_gain_against_first_stage_takes_queries_by_name_not_by_place():
    first_stage = pd.Series(np.linspace(0, 1, 10), index=[f"q{i}" for i in range(10)])
    gain = (1 - first_stage).sample(frac=1, random_state=0)
    axes = plot_gain_against_first_stage(first_stage, {"q-peft": gain}, "AP").axes[0]
    points, means = axes.get_lines()[:2]
    assert np.allclose(points.get_xdata() + points.get_ydata(), 1)
    assert np.allclose(means.get_xdata(), [1 / 18, 5 / 18, 0.5, 13 / 18, 17 / 18])


def test_first_stages_are_named_above_their_points():
    first_stage = pd.Series({"BM25": 0.48, "TAS-B": 0.68})
    figure = plot_gain_against_first_stage(first_stage, {"R": first_stage * 0.1}, "AP", named=True)
    (names,) = figure.axes[0].child_axes
    shown = {label.get_text(): place for label, place in zip(names.get_xticklabels(), names.get_xticks(), strict=True)}
    assert shown == first_stage.to_dict()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["R"]


def test_latency_is_in_milliseconds():
    points = pd.DataFrame({"milliseconds": [10.0, 900.0], "value": [0.4, 0.6]}, index=["bm25", "q-peft"])
    axes = plot_latency(points, "AP").axes[0]
    assert "(ms)" in axes.get_xlabel()
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [10.0, 900.0]


def test_many_curves_differ_in_colour_or_marker():
    curves = {str(i): pd.Series([0.1, 0.2], index=[0.0, 1.0]) for i in range(20)}
    lines = plot_fusion_weight(curves, "AP").axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 20


def test_stored_scores_give_both_sweeps():
    run = {f"q{n}": [TwoStageHit(f"d{i}", 10.0 - i, -float((i - n) ** 2)) for i in range(8)] for n in range(4)}
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(4)}
    chosen = RerankConfig(depth=6, fusion=FusionConfig(weight=0.5))
    measured = compare({"r": rank(run, None, None)}, qrels, ComparisonConfig(measures=["RR"]))
    figures = dict(evaluation_figures(Evaluation(measured, {"r": run}, qrels, chosen)))
    assert list(figures) == ["depth", "fusion-weight"]
    alone = figures["depth"].axes[0].get_lines()[0]
    assert alone.get_xdata().tolist() == [5, 8]
    assert alone.get_ydata().tolist() == [1.0, 1.0]
    assert "first stage 0.5208" in legend(figures["depth"])
    assert figures["fusion-weight"].axes[0].get_lines()[0].get_ydata()[-1] == 1.0
    assert dict(evaluation_figures(Evaluation(measured))) == {}


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_figures_are_written_without_a_display(gains, tmp_path: Path, suffix: str, magic: bytes):
    save_plot(plot_query_gains(gains, "a", "b", "AP"), tmp_path / f"plot{suffix}")
    assert (tmp_path / f"plot{suffix}").read_bytes().startswith(magic)


def test_a_place_that_cannot_be_written_is_refused(gains, tmp_path: Path):
    figure = plot_query_gains(gains, "a", "b", "AP")
    with pytest.raises(QPeftError, match=r"the name of a plot must end in one of .*\.png"):
        save_plot(figure, tmp_path / "plot.doc")
    with pytest.raises(QPeftError, match="does not exist"):
        save_plot(figure, tmp_path / "missing" / "plot.png")


@pytest.mark.skipif(os.name != "posix", reason="needs limits on the size of files")
def test_a_full_disk_leaves_no_half_of_a_plot(gains, tmp_path: Path):
    import resource

    (tmp_path / "plot.png").write_bytes(b"the plot of yesterday")
    figure, before = plot_query_gains(gains, "a", "b", "AP"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(QPeftError, match=r"cannot write .*plot\.png: File too large"):
            save_plot(figure, tmp_path / "plot.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("plot.png", b"the plot of yesterday")]
