"""Runs held against a baseline: the same numbers as the parts give, one family for Holm, and clear mistakes."""

import numpy as np
import pytest
from scipy import stats

from pyserini_qpeft.data.records import Qrels, Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation import Comparison, ComparisonConfig, SignificanceConfig, compare, cover
from pyserini_qpeft.evaluation.coverage import remarks


def noisy_run(seed: int, signal: float, queries: int = 30) -> Run:
    draw = np.random.default_rng(seed)
    run: Run = {}
    for n in range(queries):
        scores = draw.normal(size=20)
        scores[n % 20] += signal
        order = np.argsort(-scores)
        run[f"q{n}"] = [ScoredDoc(f"d{i}", float(scores[i])) for i in order]
    return run


@pytest.fixture(scope="module")
def qrels() -> Qrels:
    return {f"q{n}": {f"d{n % 20}": 1, f"d{(n + 1) % 20}": 0} for n in range(30)}


@pytest.fixture(scope="module")
def comparison(qrels) -> Comparison:
    runs = {"weak": noisy_run(0, 0.5), "strong": noisy_run(1, 2.5), "same": noisy_run(0, 0.5)}
    tests = SignificanceConfig(tests=("wilcoxon", "t"), resamples=500)
    return compare(runs, qrels, ComparisonConfig(measures=("RR@10", "nDCG@5"), significance=tests))


def test_each_run_is_held_against_the_first_on_each_measure(comparison):
    assert [(one.run, one.baseline, one.measure) for one in comparison.differences] == [
        ("strong", "weak", "RR@10"),
        ("strong", "weak", "nDCG@5"),
        ("same", "weak", "RR@10"),
        ("same", "weak", "nDCG@5"),
    ]


def test_a_difference_is_that_of_the_means_and_lies_in_its_interval(comparison):
    means = comparison.means()
    for one in comparison.differences:
        assert one.effect == pytest.approx(means.loc[one.run, one.measure] - means.loc["weak", one.measure])
        assert one.low <= one.effect <= one.high
        gains = comparison.gains(one.run, one.measure)
        assert (one.wins, one.ties, one.losses) == ((gains > 0).sum(), (gains == 0).sum(), (gains < 0).sum())
    assert comparison.differences[0].effect > 0.2
    assert comparison.differences[2].ties == 30


def test_p_values_are_scipys_and_corrected_over_all_four(comparison):
    strong, weak = (comparison.scores[name]["RR@10"] for name in ("strong", "weak"))
    first = comparison.differences[0]
    assert first.p["t"] == stats.ttest_rel(strong, weak).pvalue
    assert first.p["wilcoxon"] == stats.wilcoxon(strong, weak).pvalue
    smallest = min(comparison.differences, key=lambda one: one.p["t"])
    assert smallest.p_holm["t"] == pytest.approx(4 * smallest.p["t"])


def test_the_frame_of_differences_has_the_corrected_p_values(comparison):
    assert list(comparison.differences_frame()["p_t_holm"]) == [one.p_holm["t"] for one in comparison.differences]


def test_another_baseline_turns_the_sign(qrels, comparison):
    runs = {"weak": noisy_run(0, 0.5), "strong": noisy_run(1, 2.5)}
    turned = compare(runs, qrels, ComparisonConfig(measures=("RR@10",), baseline="strong"))
    assert turned.differences[0].effect == pytest.approx(-comparison.differences[0].effect)
    assert turned.differences[0].run == "weak"


def test_a_single_run_is_no_comparison_but_a_table(qrels):
    alone = compare({"only": noisy_run(0, 1.0)}, qrels)
    assert alone.differences == ()
    assert alone.differences_frame().empty
    assert list(alone.means().index) == ["only"]


def test_mistakes_name_the_run(qrels):
    with pytest.raises(QPeftError, match="there is no run 'x' to be the baseline: the runs are a"):
        compare({"a": noisy_run(0, 1.0)}, qrels, ComparisonConfig(baseline="x"))
    with pytest.raises(QPeftError, match=r"^b: no query of the run is in the qrels"):
        compare({"a": noisy_run(0, 1.0), "b": {"other": [ScoredDoc("d", 1.0)]}}, qrels)
    with pytest.raises(QPeftError, match="no run to evaluate"):
        compare({}, qrels)
    with pytest.raises(QPeftError, match="judged_cutoff must be 1 or more, and is 0"):
        ComparisonConfig(judged_cutoff=0)


def test_coverage_counts_depth_gaps_and_what_nobody_judged():
    run = {
        "q1": [ScoredDoc("a", 3.0), ScoredDoc("b", 2.0), ScoredDoc("c", 1.0), ScoredDoc("x", 0.5)],
        "q2": [ScoredDoc("y", 1.0), ScoredDoc("a", 0.5)],
        "q9": [ScoredDoc("z", 1.0)],
    }
    qrels = {"q1": {"a": 1, "b": 0}, "q2": {"c": 1}, "q3": {"a": 1}}
    found = cover(run, qrels, cutoff=2)
    assert (found.queries, found.missing, found.unjudged_queries) == (2, 1, 1)
    assert (found.depth, found.max_depth) == (3.0, 4)
    assert found.unjudged == pytest.approx(2 / 4)
    assert (found.docids, found.unknown_docids) == (5, 2)
    text = " ".join(remarks("bm25", found))
    assert "1 judged query is missing from" in text
    assert "1 query is in" in text
    assert "2 of the 5 docids of bm25 are not in the qrels" in text


def test_docids_of_another_numbering_are_remarked():
    found = cover({"q": [ScoredDoc("1", 1.0)]}, {"q": {"doc1": 1}})
    assert remarks("bm25", found) == ["no docid of bm25 is in the qrels: check that both use the same docids."]
    assert remarks("bm25", cover({"q": []}, {"q": {"doc1": 1}})) == [
        "1 judged query is missing from bm25 and scored as 0 (as in trec_eval -c)."
    ]
