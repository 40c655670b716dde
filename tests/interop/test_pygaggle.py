"""pygaggle's interface over texts made as pygaggle makes them."""

import copy

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.pygaggle import PygaggleReranker
from pyserini_qpeft.reranking.reranker import QPeftReranker, RerankConfig


class Query:
    """The attributes of pygaggle's Query."""

    def __init__(self, text, id=None):
        self.text, self.id = text, id


class Text:
    """The attributes of pygaggle's Text."""

    def __init__(self, text, metadata=None, score=0, title=None):
        self.text, self.metadata, self.score, self.title = text, metadata or {}, score, title

    def __eq__(self, other):
        return vars(self) == vars(other)


@pytest.fixture
def texts(passages):
    return [
        Text(text, {"docid": docid, "raw": [docid]}, 20.0 - place)
        for place, (docid, text) in enumerate(passages.items())
    ]


def docids(texts):
    return [text.metadata["docid"] for text in texts]


def test_rescore_keeps_order_and_length(reranker, passages, texts, query):
    rescored = PygaggleReranker(reranker).rescore(Query(query), texts)
    assert docids(rescored) == list(passages)
    np.testing.assert_allclose(
        [text.score for text in rescored], reranker.score(query, list(passages.values())), atol=1e-5
    )


def test_rerank_sorts_best_first(reranker, texts, query, best_first):
    reranked = PygaggleReranker(reranker).rerank(Query(query), texts)
    assert docids(reranked) == best_first
    scores = [text.score for text in reranked]
    assert scores == sorted(scores, reverse=True)
    assert all(type(score) is float for score in scores)


def test_a_query_may_be_a_string(reranker, texts, query):
    ours = PygaggleReranker(reranker)
    assert ours.rerank(query, texts) == ours.rerank(Query(query), texts)


@pytest.mark.parametrize("method", ["rescore", "rerank"])
def test_the_texts_given_are_not_changed_and_not_shared(reranker, texts, query, method):
    before = copy.deepcopy(texts)
    for text in getattr(PygaggleReranker(reranker), method)(Query(query), texts):
        text.metadata["raw"].append("changed")
        text.score = 0.0
    assert texts == before


def test_a_fusing_reranker_mixes_in_the_scores_of_the_texts(fusing, passages, texts, query):
    hits = [(text.metadata["docid"], text.text, text.score) for text in texts]
    own = fusing.rerank(query, hits)
    reranked = PygaggleReranker(fusing).rerank(query, texts)
    assert [(text.metadata["docid"], text.score) for text in reranked] == [(hit.docid, hit.score) for hit in own]
    assert docids(reranked) != docids(PygaggleReranker(fusing).rerank(query, texts[::-1]))[::-1]


@pytest.mark.parametrize("score", [None, 0])
def test_texts_without_scores_of_their_own_are_ranked_by_the_likelihood(
    fusing, passages, query, best_first, score, caplog
):
    bare = [Text(text, {"docid": docid}, score) for docid, text in passages.items()]
    assert docids(PygaggleReranker(fusing).rerank(query, bare)) == best_first
    assert len(caplog.records) == 1


def test_texts_need_no_docid_no_title_and_no_score(reranker, passages, query, best_first):
    bare = [Text(text, {}, None) for text in passages.values()]
    for text in bare:
        del text.title
    reranked = PygaggleReranker(reranker).rerank(query, bare)
    assert [text.text for text in reranked] == [passages[docid] for docid in best_first]


def test_the_old_pygaggle_that_put_metadata_into_the_title_is_accepted(reranker, passages, query, best_first):
    """Its hits_to_texts calls Text(text, title, metadata, score) with (text, metadata, score)."""
    shifted = []
    for place, (docid, passage) in enumerate(passages.items()):
        text = Text(passage, None, 0, {"raw": passage, "docid": docid})
        text.metadata = 20.0 - place
        shifted.append(text)
    reranked = PygaggleReranker(reranker).rerank(query, shifted)
    assert [text.title["docid"] for text in reranked] == best_first


def test_raw_json_of_the_index_reads_as_the_passage_in_it(reranker, query):
    """pygaggle's hits_to_texts takes the raw field of a hit, which is JSON in most indexes."""
    json = '{"id": "paris", "contents": "The capital of France is Paris."}'
    raw = Text(json, {"raw": json, "docid": "paris"})
    (rescored,) = PygaggleReranker(reranker).rescore(query, [raw])
    assert rescored.text == raw.text
    assert rescored.score == pytest.approx(reranker.score(query, ["The capital of France is Paris."])[0], abs=1e-5)


def test_equal_texts_keep_their_order_even_with_equal_docids(reranker, query):
    twins = [Text("the same passage", {"docid": "x", "copy": number}, 1.0) for number in range(4)]
    reranked = PygaggleReranker(reranker).rerank(query, twins)
    assert [text.metadata["copy"] for text in reranked] == [0, 1, 2, 3]


def test_no_texts_give_no_texts(reranker, query):
    assert PygaggleReranker(reranker).rescore(query, []) == []
    assert PygaggleReranker(reranker).rerank(query, []) == []


def test_a_reranker_that_drops_texts_can_rerank_and_not_rescore(reranker, texts, query):
    dropping = PygaggleReranker(QPeftReranker(reranker.scorer, RerankConfig(depth=2, below_depth="drop", fusion=None)))
    assert sorted(docids(dropping.rerank(query, texts))) == sorted(docids(texts[:2]))
    with pytest.raises(QPeftError, match="kept 2 of 6 texts"):
        dropping.rescore(query, texts)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_a_texts_score_does_not_depend_on_its_place(reranker, texts, query, order):
    ours = PygaggleReranker(reranker)
    straight = [text.score for text in ours.rescore(query, texts)]
    shuffled = [text.score for text in ours.rescore(query, [texts[place] for place in order])]
    np.testing.assert_allclose(shuffled, [straight[place] for place in order], atol=1e-5)
