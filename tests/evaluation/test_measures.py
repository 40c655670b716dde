"""Measures against trec_eval's own code, and what happens to ties, missing queries and wrong names."""

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, Run, ScoredDoc
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import parse_measures, score_queries, trec_eval_order

docids = st.text(alphabet="abAB01é", min_size=1, max_size=3)
# Few distinct scores, two of them equal in single precision only: ties are the rule.
scores = st.sampled_from([1.0, 1.0 + 1e-12, 0.5, -3.0, 2e9])
hits = st.dictionaries(docids, scores, min_size=1, max_size=12)
grades = st.dictionaries(docids, st.integers(0, 3), min_size=1, max_size=12)
queries = st.sampled_from(["q1", "q2", "q3"])


def run_from(by_qid: dict[str, dict[str, float]]) -> Run:
    return {qid: [ScoredDoc(d, s) for d, s in ranked.items()] for qid, ranked in by_qid.items()}


@settings(max_examples=200, deadline=None)
@given(by_qid=st.dictionaries(queries, hits, min_size=1), qrels=st.dictionaries(queries, grades, min_size=1))
def test_values_are_trec_evals_whatever_the_ties(by_qid: dict[str, dict[str, float]], qrels: Qrels):
    if not set(by_qid) & set(qrels):
        return
    frame = score_queries(run_from(by_qid), qrels, ["nDCG@3", "AP", "P@2", "R@3", "RR"])
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.3", "map", "P.2", "recall.3", "recip_rank"}).evaluate(
        by_qid
    )
    assert list(frame.index) == list(qrels)
    for qid, row in frame.iterrows():
        expected = theirs.get(qid, dict.fromkeys(["ndcg_cut_3", "map", "P_2", "recall_3", "recip_rank"], 0.0))
        assert row["nDCG@3"] == pytest.approx(expected["ndcg_cut_3"], abs=1e-12)
        assert row["AP"] == pytest.approx(expected["map"], abs=1e-12)
        assert row["P@2"] == pytest.approx(expected["P_2"], abs=1e-12)
        assert row["R@3"] == pytest.approx(expected["recall_3"], abs=1e-12)
        assert row["RR"] == pytest.approx(expected["recip_rank"], abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(ranked=hits, relevant=docids)
def test_rr_at_a_cutoff_breaks_ties_as_rr_does(ranked: dict[str, float], relevant: str):
    frame = score_queries(run_from({"q": ranked}), {"q": {relevant: 1}}, ["RR", "RR@12"])
    assert frame.loc["q", "RR"] == frame.loc["q", "RR@12"]


@given(ranked=hits, seed=st.randoms())
def test_the_order_of_the_file_does_not_matter(ranked: dict[str, float], seed):
    pairs = [ScoredDoc(d, s) for d, s in ranked.items()]
    shuffled = list(pairs)
    seed.shuffle(shuffled)
    assert trec_eval_order(pairs) == trec_eval_order(shuffled)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("BM25", 0.4796), ("SPLADE_P_P_ENSEMBLE_DISTIL", 0.7197), ("D_BERT_KD_TASB", 0.6854)],
)
def test_the_stored_runs_of_trec_dl_2020_have_their_published_ndcg(shared: Path, name: str, expected: float):
    folder = shared / "data" / "trec-dl-2020-hits"
    frame = score_queries(read_run(folder / "runs" / f"{name}.trec"), read_qrels(folder / "qrels" / "test.tsv"))
    assert round(frame["nDCG@10"].mean(), 4) == expected
    assert list(frame.columns) == ["nDCG@10", "AP", "RR@10", "R@100", "P@10"]


def test_a_judged_query_that_the_run_lacks_counts_as_nothing_and_an_unjudged_one_not_at_all():
    run = run_from({"q1": {"a": 1.0}, "q9": {"a": 1.0}})
    frame = score_queries(run, {"q1": {"a": 1}, "q2": {"a": 1}}, ["RR@10"])
    assert frame["RR@10"].to_dict() == {"q1": 1.0, "q2": 0.0}


def test_no_query_in_common_is_a_mistake():
    with pytest.raises(QPeftError, match=r"no query of the run is in the qrels \(run: 1; qrels: q1\)"):
        score_queries(run_from({"1": {"a": 1.0}}), {"q1": {"a": 1}})


def test_a_run_of_empty_lists_counts_as_nothing():
    assert score_queries({"q1": []}, {"q1": {"a": 1}, "q2": {"a": 1}}, ["RR@10", "Bpref"]).to_numpy().tolist() == [
        [0.0, 0.0],
        [0.0, 0.0],
    ]


def test_a_score_that_is_no_number_is_a_mistake():
    with pytest.raises(QPeftError, match="document b is not a number"):
        score_queries({"q": [ScoredDoc("a", 1.0), ScoredDoc("b", float("nan"))]}, {"q": {"a": 1}})


def test_usual_names_of_measures_are_understood_once_each():
    assert [str(measure) for measure in parse_measures(["MAP", "AP", "MRR@10", "NDCG@5"])] == ["AP", "RR@10", "nDCG@5"]


def test_every_measure_is_offered_at_any_cutoff():
    run, qrels = run_from({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}), {"q": {"b": 1, "c": 1}}
    names = [f"{name}@{cutoff}" for name in ("nDCG", "MAP", "MRR", "P", "R") for cutoff in (1, 2, 7)]
    found = score_queries(run, qrels, names).loc["q"]
    ideal = 1 + 1 / np.log2(3)
    assert found[["nDCG@1", "nDCG@2"]].tolist() == pytest.approx([0, (1 / np.log2(3)) / ideal])
    assert found[["AP@1", "AP@2", "AP@7"]].tolist() == pytest.approx([0, 1 / 4, (1 / 2 + 2 / 3) / 2])
    assert found[["RR@1", "RR@2", "RR@7"]].tolist() == [0, 0.5, 0.5]
    assert found[["P@1", "P@2", "P@7"]].tolist() == pytest.approx([0, 1 / 2, 2 / 7])
    assert found[["R@1", "R@2", "R@7"]].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "'ndgc@10' is not a measure; write it as in nDCG@10"),
        ("nDCG@x", "'nDCG@x' is not a measure"),
        ("", "'' is not a measure"),
        ("__import__('os')", "is not a measure"),
        ("R", "the measure 'R' needs a cutoff; write it as in nDCG@10"),
        ("nDCG@0", "the cutoff of the measure 'nDCG@0' must be 1 or more"),
        ("P@1.5", "the measure 'P@1.5' is not valid: invalid param cutoff=1.5"),
        ("NumRet", "'NumRet' is a count over all queries"),
        ("ERR", "no installed library computes the measure 'ERR'"),
    ],
)
def test_a_wrong_measure_is_refused_with_the_reason(name: str, message: str):
    with pytest.raises(QPeftError) as mistake:
        parse_measures([name])
    assert message in str(mistake.value)
    assert " object at " not in str(mistake.value)
