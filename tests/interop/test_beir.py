"""BEIR's reranking loop, with its own Rerank and with ours, and its evaluation."""

import copy

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.beir import BeirReranker


@pytest.fixture
def corpus(passages):
    return {docid: {"title": docid.title(), "text": text} for docid, text in passages.items()}


@pytest.fixture
def results(passages):
    """Not in order: a dict need not be sorted."""
    first_stage = {docid: 20.0 - place for place, docid in enumerate(passages)}
    return {"q1": dict(reversed(first_stage.items())), "q2": first_stage, "none": {}}


@pytest.fixture
def queries(query):
    return {"q1": query, "q2": "which river runs through Egypt?", "none": "nothing"}


def test_the_passages_are_read_as_everywhere_in_this_package(reranker, corpus, queries, results):
    ranked = BeirReranker(reranker).rerank(corpus, queries, results, top_k=4)
    for qid in ("q1", "q2"):
        docids = list(results["q2"])[:4]
        texts = [f"{corpus[docid]['title']}\n{corpus[docid]['text']}".strip() for docid in docids]
        expected = dict(zip(docids, reranker.score(queries[qid], texts).tolist(), strict=True))
        assert ranked[qid] == pytest.approx(expected, abs=1e-5)
        assert list(ranked[qid].values()) == sorted(ranked[qid].values(), reverse=True)
    assert ranked["none"] == {}
    assert BeirReranker(reranker).rerank(corpus, queries, {}, top_k=4) == {}


def test_a_fusing_reranker_mixes_in_the_scores_of_the_results(fusing, corpus, queries, results):
    ranked = BeirReranker(fusing).rerank(corpus, queries, results, top_k=6)
    own = fusing.rerank(queries["q1"], list(results["q2"].items()), corpus=corpus)
    assert ranked["q1"] == pytest.approx({hit.docid: hit.score for hit in own}, abs=1e-5)


def test_nothing_given_is_changed(reranker, corpus, queries, results):
    before = copy.deepcopy((corpus, queries, results))
    ours = BeirReranker(reranker)
    assert ours.rerank(corpus, queries, results, 3) is ours.rerank_results
    assert (corpus, queries, results) == before


def test_a_docid_without_a_passage_is_named(reranker, corpus, queries):
    with pytest.raises(QPeftError, match="sahara"):
        BeirReranker(reranker).rerank(corpus, queries, {"q1": {"sahara": 1.0}}, 10)


def test_beirs_own_rerank_takes_the_reranker_and_its_evaluation_takes_both(reranker, corpus, queries, results):
    pytest.importorskip("beir", reason="needs beir (the extra beir)")
    from beir.reranking import Rerank
    from beir.retrieval.evaluation import EvaluateRetrieval

    theirs = Rerank(reranker, batch_size=2).rerank(corpus, queries, results, top_k=4)
    joined = [f"{corpus[docid]['title']} {corpus[docid]['text']}".strip() for docid in list(results["q2"])[:4]]
    expected = dict(zip(list(results["q2"])[:4], reranker.score(queries["q2"], joined).tolist(), strict=True))
    assert theirs["q2"] == pytest.approx(expected, abs=1e-5)

    ours = BeirReranker(reranker).rerank(corpus, queries, results, top_k=4)
    best = {qid: {max(ours[qid], key=ours[qid].get): 1} for qid in ("q1", "q2")}
    ndcg, _, recall, _ = EvaluateRetrieval.evaluate(best, ours, [1, 3])
    assert ndcg["NDCG@1"] == recall["Recall@1"] == 1.0
