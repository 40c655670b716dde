"""p-values against scipy and ranx, Holm's correction by its definition, and degenerate inputs."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.evaluation.significance import SignificanceConfig, bootstrap_interval, holm, paired_p_value


@pytest.fixture(scope="module")
def pair(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    """AP per query of the BM25+RM3 and the BM25 run of TREC DL 2020."""
    folder = shared / "data" / "trec-dl-2020-hits"
    qrels = read_qrels(folder / "qrels" / "test.tsv")
    rm3, bm25 = (
        score_queries(read_run(folder / "runs" / f"{name}.trec"), qrels, ["AP"])["AP"].to_numpy()
        for name in ("BM25_RM3", "BM25")
    )
    return rm3, bm25


def test_p_values_equal_scipys(pair):
    rm3, bm25 = pair
    assert paired_p_value("t", rm3, bm25) == stats.ttest_rel(rm3, bm25).pvalue
    assert paired_p_value("wilcoxon", rm3, bm25) == stats.wilcoxon(rm3, bm25).pvalue
    by_swapping = stats.permutation_test(
        (rm3, bm25), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=2_000, rng=7
    ).pvalue
    assert paired_p_value("randomization", rm3, bm25) == pytest.approx(by_swapping, abs=0.03)


def test_p_values_equal_ranx(pair):
    ranx_tests = pytest.importorskip("ranx.statistical_tests")
    rm3, bm25 = pair
    p, _ = ranx_tests.paired_student_t_test(bm25, rm3, 0.05)
    assert paired_p_value("t", rm3, bm25) == pytest.approx(p, rel=1e-12)
    p, _ = ranx_tests.fisher_randomization_test(bm25, rm3, 20_000, 0.05, 3)
    assert paired_p_value("randomization", rm3, bm25) == pytest.approx(p, abs=0.02)


def test_a_small_randomisation_test_is_exact():
    # All four differences positive: 2 of the 16 sign patterns are as extreme.
    assert paired_p_value("randomization", [2, 3, 4, 5], [1, 1, 1, 1]) == pytest.approx(2 / 16)


def test_the_same_seed_gives_the_same_numbers(pair):
    first, again = (paired_p_value("randomization", *pair, SignificanceConfig(resamples=500, seed=5)) for _ in "ab")
    assert first == again
    config = SignificanceConfig(resamples=500, seed=5)
    assert bootstrap_interval(pair[0] - pair[1], config) == bootstrap_interval(pair[0] - pair[1], config)


@pytest.mark.parametrize("test", ["t", "wilcoxon", "randomization"])
def test_equal_runs_are_not_different(test):
    assert paired_p_value(test, [0.5, 0.2, 0.1], [0.5, 0.2, 0.1]) == 1.0


@pytest.mark.parametrize(
    ("run", "baseline"),
    [
        ([0.5, 0.6], [0.4, 0.5]),
        ([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4]),
        ([0.5 + n / 10 for n in range(6)], [n / 10 for n in range(6)]),
    ],
    ids=["two queries of equal gains", "four queries", "six queries of equal gains"],
)
def test_there_is_no_t_test_of_few_queries_or_of_equal_gains(run, baseline):
    assert math.isnan(paired_p_value("t", run, baseline))


def test_one_query_says_nothing_about_the_mean():
    assert math.isnan(paired_p_value("t", [1.0], [0.5]))
    assert bootstrap_interval([0.5], SignificanceConfig()) == (0.5, 0.5)


def test_holm_on_a_worked_case():
    # Sorted .01 .02 .03 .04 times 4 3 2 1, never falling: .04 .06 .06 .06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_step_down_definition_rejects(p: list[float]):
    corrected = holm(p)
    for alpha in (0.01, 0.05, 0.2):
        rejected = 0
        for place, value in enumerate(sorted(p)):
            if value * (len(p) - place) > alpha:
                break
            rejected += 1
        assert sum(value <= alpha for value in corrected) == rejected
    assert all(before <= after <= 1 for before, after in zip(p, corrected, strict=True))


def test_an_undefined_p_value_is_no_member_of_the_family():
    corrected = holm([0.04, float("nan"), 0.03])
    assert corrected[0] == corrected[2] == pytest.approx(0.06)
    assert math.isnan(corrected[1])


def test_the_bootstrap_interval_covers_the_mean_at_its_level():
    draw = np.random.default_rng(0)
    config = SignificanceConfig(resamples=400)
    intervals = [bootstrap_interval(draw.normal(0.1, 1, 60), config) for _ in range(200)]
    covered = np.mean([low <= 0.1 <= high for low, high in intervals])
    assert 0.89 <= covered <= 0.985


@pytest.mark.parametrize("wrong", [{"tests": ("z",)}, {"alpha": 0.0}, {"confidence": 1.0}, {"resamples": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(QPeftError):
        SignificanceConfig(**wrong)
