"""Measures of gdeval take any qid and docid."""

import math
import shutil

import pytest

from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries

pytestmark = pytest.mark.skipif(shutil.which("perl") is None, reason="gdeval needs perl")


def expected_reciprocal_rank(grades: list[int]) -> float:
    """Equation 4 of Chapelle et al., "Expected reciprocal rank for graded relevance" (CIKM 2009), grades up to 4."""
    value, reached = 0.0, 1.0
    for rank, grade in enumerate(grades, start=1):
        stops = (2**grade - 1) / 2**4
        value += reached * stops / rank
        reached *= 1 - stops
    return value


def test_err_of_qids_and_docids_that_are_no_numbers():
    qrels = {
        "PLAIN-2": {"a b": 2, "c": 1},
        "other-2": {"x": 3, "d": -1},
        "é": {"a b": 1},
        "no run": {"a": 1},
    }
    run = {
        "other-2": [ScoredDoc("y", 2.0), ScoredDoc("d", 1.5), ScoredDoc("x", 1.0)],
        "PLAIN-2": [ScoredDoc("c", 1.0), ScoredDoc("a b", 1.0)],
        "é": [ScoredDoc("z", 1.0)],
    }
    frame = score_queries(run, qrels, ["ERR@10", "nDCG@10", "ERR@2"])
    assert list(frame.index) == list(qrels)
    # trec_eval puts the higher docid first where scores are equal.
    assert frame.loc["PLAIN-2", "ERR@10"] == pytest.approx(expected_reciprocal_rank([1, 2]), abs=1e-5)
    assert frame.loc["other-2", "ERR@10"] == pytest.approx(expected_reciprocal_rank([0, 0, 3]), abs=1e-5)
    assert frame.loc["other-2", "ERR@2"] == 0
    assert frame.loc["other-2", "nDCG@10"] == pytest.approx(1 / math.log2(4))
    assert frame.loc["é", "ERR@10"] == 0
    assert frame.loc["no run", "ERR@10"] == 0


def test_a_grade_above_four_is_one_sentence():
    with pytest.raises(QPeftError, match="ERR@10 takes grades from 0 to 4, and query q has a grade of 5"):
        score_queries({"q": [ScoredDoc("a", 1.0)]}, {"q": {"a": 5}}, ["ERR@10"])
