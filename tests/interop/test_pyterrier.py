"""The PyTerrier transformer in pipelines, experiments and PyTerrier's inspection. No Java is started."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyterrier", reason="needs pyterrier (the extra pyterrier)")

import pyterrier as pt

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.pyterrier import PyTerrierReranker
from pyserini_qpeft.reranking.reranker import QPeftReranker, RerankConfig

QUERIES = {"q1": "what is the capital of France?", "q2": "which river runs through Egypt?"}


@pytest.fixture
def frame(passages):
    rows = [
        {"qid": qid, "query": query, "docno": docno, "text": text, "score": 20.0 - place, "rank": place}
        for qid, query in QUERIES.items()
        for place, (docno, text) in enumerate(passages.items())
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def topics():
    return pd.DataFrame(list(QUERIES.items()), columns=["qid", "query"])


@pytest.fixture
def bm25(frame):
    """A first stage that finds the same passages for every query."""
    return pt.Transformer.from_df(frame)


def docnos(frame, qid="q1"):
    return frame[frame["qid"] == qid].sort_values("rank")["docno"].tolist()


def test_a_frame_is_reranked_query_by_query(reranker, frame, passages, best_first):
    ranked = PyTerrierReranker(reranker).transform(frame)
    assert docnos(ranked) == best_first
    assert set(ranked.columns) == set(frame.columns)
    assert ranked["score"].dtype == np.float64
    for qid, query in QUERIES.items():
        mine = ranked[ranked["qid"] == qid]
        assert mine["rank"].tolist() == list(range(6))
        assert mine["score"].is_monotonic_decreasing
        expected = dict(zip(passages, reranker.score(query, list(passages.values())).tolist(), strict=True))
        assert dict(zip(mine["docno"], mine["score"], strict=True)) == pytest.approx(expected, abs=1e-6)


def test_with_a_calibration_a_frame_has_probabilities(reranker, frame):
    calibrated = QPeftReranker(reranker.scorer, RerankConfig(depth=4, fusion=None, calibration=Calibration(2.0, 0.5)))
    ranked = PyTerrierReranker(calibrated)(frame)
    assert set(ranked.columns) == {*frame.columns, "probability"}
    hits = calibrated.rerank(QUERIES["q1"], frame[frame["qid"] == "q1"])
    expected = [np.nan if hit.probability is None else hit.probability for hit in hits]
    assert ranked[ranked["qid"] == "q1"]["probability"].tolist() == pytest.approx(expected, nan_ok=True, abs=1e-6)
    assert sum(np.isnan(expected)) == 2


def test_the_frame_given_is_not_changed(reranker, frame):
    before = frame.copy(deep=True)
    PyTerrierReranker(reranker)(frame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_does_not_matter(fusing, frame, seed):
    shallow = QPeftReranker(fusing.scorer, RerankConfig(depth=3, fusion=fusing.config.fusion))
    shuffled = frame.sample(frac=1, random_state=seed)
    for columns in (["rank"], ["score"], []):
        ranked = PyTerrierReranker(shallow)(shuffled.drop(columns=columns))
        expected = PyTerrierReranker(shallow)(frame)
        if columns != ["score"]:
            assert all(docnos(ranked, qid) == docnos(expected, qid) for qid in QUERIES)
        assert sorted(docnos(ranked)[:3]) == sorted(docnos(expected)[:3])


def test_a_fusing_reranker_mixes_in_the_scores_of_the_frame(fusing, frame):
    ranked = PyTerrierReranker(fusing)(frame)
    mine = frame[frame["qid"] == "q1"]
    own = fusing.rerank(QUERIES["q1"], list(zip(mine["docno"], mine["text"], mine["score"], strict=True)))
    assert docnos(ranked) == [hit.docid for hit in own]


def test_dropped_passages_are_left_out(reranker, frame):
    dropping = QPeftReranker(reranker.scorer, RerankConfig(depth=2, below_depth="drop", fusion=None))
    ranked = PyTerrierReranker(dropping)(frame)
    assert sorted(docnos(ranked)) == sorted(docnos(frame)[:2])


def test_no_rows_keep_their_columns(reranker, frame):
    ranked = PyTerrierReranker(reranker)(frame.iloc[:0])
    assert len(ranked) == 0
    assert set(ranked.columns) == set(frame.columns)
    bare = PyTerrierReranker(reranker)(frame.iloc[:0][["qid", "query", "docno", "text"]])
    assert set(bare.columns) == {"qid", "query", "docno", "text", "score", "rank"}


def test_other_columns_and_another_column_of_texts(reranker, frame, best_first):
    renamed = frame.rename(columns={"text": "body"}).assign(url=[f"u{row}" for row in range(len(frame))])
    ranked = PyTerrierReranker(reranker, text_field="body")(renamed)
    assert docnos(ranked) == best_first
    assert dict(zip(ranked["docno"], ranked["url"], strict=True)).keys() == set(best_first)
    assert set(ranked["url"]) == set(renamed["url"])


def test_a_missing_column_is_named(reranker, frame):
    with pytest.raises(pt.validate.InputValidationError, match="text"):
        PyTerrierReranker(reranker)(frame.drop(columns="text"))
    with pytest.raises(QPeftError, match="paris"):
        PyTerrierReranker(reranker)(frame.assign(text=None))


def test_it_stands_in_a_pipeline_behind_a_cutoff(bm25, reranker, topics, passages):
    ranked = (bm25 % 3 >> PyTerrierReranker(reranker))(topics)
    assert sorted(docnos(ranked, "q2")) == sorted(list(passages)[:3])
    best = (bm25 >> PyTerrierReranker(reranker) % 2)(topics)
    assert best.groupby("qid").size().tolist() == [2, 2]


def test_an_experiment_compares_it_with_the_first_stage(bm25, reranker, topics, passages, best_first):
    qrels = pd.DataFrame({"qid": ["q1", "q2"], "docno": [best_first[1], "nile"], "label": [1, 1]})
    ours = bm25 >> PyTerrierReranker(reranker)
    table = pt.Experiment([bm25, ours], topics, qrels, ["recip_rank"], names=["BM25", "Q-PEFT"], perquery=True)
    assert table.set_index(["qid", "name"])["value"].to_dict() == pytest.approx(
        {
            ("q1", "BM25"): 1 / (1 + list(passages).index(best_first[1])),
            ("q1", "Q-PEFT"): 1 / 2,
            ("q2", "BM25"): 1 / (1 + list(passages).index("nile")),
            ("q2", "Q-PEFT"): 1 / (1 + docnos(ours(topics), "q2").index("nile")),
        }
    )
    means = pt.Experiment([bm25, ours], topics, qrels, ["ndcg_cut_10"], names=["BM25", "Q-PEFT"], baseline=0)
    assert means["name"].tolist() == ["BM25", "Q-PEFT"]


def test_pyterrier_can_inspect_it(bm25, reranker):
    ours = PyTerrierReranker(reranker)
    (inputs,) = pt.inspect.transformer_inputs(ours)
    assert set(inputs) == {"qid", "docno", "query", "text"}
    assert {"score", "rank"} <= set(pt.inspect.transformer_outputs(ours, inputs))
    assert [one.name for one in pt.inspect.transformer_attributes(ours)] == ["reranker", "text_field"]
    other = pt.inspect.transformer_apply_attributes(ours, text_field="body")
    assert (other.reranker, other.text_field) == (reranker, "body")
    assert pt.inspect.subtransformers(ours) == {}
    assert {"score", "rank"} <= set(pt.inspect.transformer_outputs(bm25 >> ours, ["qid", "query"]))
