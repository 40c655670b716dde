"""Probabilities are compared with qrels, in numbers that an independent reference confirms."""

import numpy as np
import pytest
from scipy.special import expit

from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.evaluation.plots.reliability import plot_reliability
from pyserini_qpeft.evaluation.reliability import judge_probabilities, measure_reliability


def test_probabilities_that_hold_have_a_small_error_and_a_positive_skill():
    draw = np.random.default_rng(0)
    given = expit(draw.normal(-1, 2, 20_000))
    relevant = draw.random(20_000) < given
    found = measure_reliability(given, relevant)
    assert found.error < 0.02
    assert 0.2 < found.skill < 1
    assert found.brier == pytest.approx(np.mean((given - relevant) ** 2))
    assert sum(one.hits for one in found.bins) == found.hits == 20_000
    assert all(one.low <= one.relevant <= one.high for one in found.bins)
    # Twice as sure as it should be.
    assert measure_reliability(np.minimum(1, 2 * given), relevant).error > 0.1


def test_bins_and_error_are_those_of_a_count_by_hand():
    found = measure_reliability([0.05, 0.15, 0.19, 1.0], [False, False, True, True])
    assert [(one.hits, one.relevant) for one in found.bins] == [(1, 0.0), (2, 0.5), (1, 1.0)]
    assert found.error == pytest.approx((0.05 + 2 * abs(0.17 - 0.5) + 0) / 4)


def test_a_constant_share_has_no_skill_and_one_class_alone_has_no_number():
    assert measure_reliability([0.25] * 4, [True, False, False, False]).skill == pytest.approx(0)
    assert np.isnan(measure_reliability([0.25, 0.5], [False, False]).skill)


def hit(docid: str, probability: float | None) -> RankedHit:
    return RankedHit(docid, -1.0, 1, 1.0, 1, probability=probability)


def test_only_judged_queries_count_and_hits_without_a_judgement_are_not_relevant():
    lists = [
        RankedList("q1", "", [hit("a", 0.9), hit("b", 0.2), hit("tail", None)]),
        RankedList("other", "", [hit("a", 0.9)]),
    ]
    found = judge_probabilities(lists, {"q1": {"a": 2, "b": 0}})
    assert (found.hits, found.relevant) == (2, 0.5)
    assert judge_probabilities(lists[1:], {"q1": {"a": 1}}) is None


def test_the_diagram_shows_the_share_of_each_bin_against_its_probability():
    figure = plot_reliability({"mine": measure_reliability([0.05, 0.95, 0.97], [False, True, False])})
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["perfect"].get_xdata()) == [0, 1]
    (drawn,) = [container.lines[0] for container in axes.containers]
    assert drawn.get_xdata() == pytest.approx([0.05, 0.96])
    assert drawn.get_ydata() == pytest.approx([0.0, 0.5])
    assert "calibration error" in axes.get_legend().get_texts()[1].get_text()
