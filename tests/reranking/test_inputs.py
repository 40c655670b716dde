"""Hits, texts and queries in every form that a reranker takes, and what it refuses."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from five_hits import HITS, PASSAGES, QUERY, configured

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker
from pyserini_qpeft.interop.beir import BeirReranker
from pyserini_qpeft.interop.rank_llm import RankLLMReranker
from pyserini_qpeft.reranking.searcher import RerankingSearcher


def test_the_input_is_never_changed_and_odd_input_is_taken(reranker: QPeftReranker) -> None:
    hits = [SimpleNamespace(docid=7, score=np.float32(2), text="Paris"), SimpleNamespace(docid=7, score=1, text="Nile")]
    before = [dict(vars(hit)) for hit in hits]
    ranked = reranker.rerank(QUERY, hits)
    assert [vars(hit) for hit in hits] == before
    assert [hit.docid for hit in ranked] == ["7", "7"]
    assert reranker.rerank(QUERY, []) == []
    assert reranker.rerank_batch([]) == []
    assert reranker.score(QUERY, []).shape == (0,)


def test_texts_alone_are_ranked_by_their_likelihoods_without_a_warning(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture
) -> None:
    texts = list(PASSAGES.values())
    fused = configured(reranker, fusion=FusionConfig(weight=0.4), depth=3, below_depth="keep")
    ranked = fused.rerank(QUERY, texts)
    scores = reranker.score(QUERY, texts[:3])
    assert [hit.docid for hit in ranked] == [*np.argsort(-scores).astype(str), "3", "4"]
    assert [hit.text for hit in ranked[:3]] == [texts[int(hit.docid)] for hit in ranked[:3]]
    assert [hit.docid for hit in reranker.rerank(QUERY, np.array(texts), k=1)] == [
        str(reranker.score(QUERY, texts).argmax())
    ]
    assert caplog.records == []


def test_hits_may_be_frames_and_mappings_and_a_corpus_a_list(reranker: QPeftReranker) -> None:
    plain = reranker.rerank(QUERY, HITS)
    frame = pd.DataFrame(HITS, columns=["docno", "text", "score"])
    found = {place: 10.0 - place for place in range(5)}
    for ranked in (
        reranker.rerank(QUERY, frame),
        reranker.rerank(QUERY, {docid: score for docid, _, score in reversed(HITS)}, corpus=PASSAGES),
        *reranker.rerank_batch([(QUERY, frame)]),
        *reranker.rerank_stream([(QUERY, frame)]),
    ):
        assert ranked == plain
    by_place = reranker.rerank(QUERY, found, corpus=list(PASSAGES.values()))
    assert [list(PASSAGES)[int(hit.docid)] for hit in by_place] == [hit.docid for hit in plain]


@pytest.mark.parametrize("value", [None, float("nan"), 17, b"bytes", ["a list"]])
def test_what_is_not_a_string_is_refused_with_its_place(reranker: QPeftReranker, value: Any) -> None:
    calls = {
        r"text 2 must be a string": lambda: reranker.score(QUERY, ["a text", value]),
        r"the query must be a string": lambda: reranker.score(value, ["a text"]),
        r"the text of pair 2 must be a string": lambda: reranker.predict([(QUERY, "a text"), (QUERY, value)]),
        r"the query of pair 1 must be a string": lambda: reranker.predict([[value, "a text"]]),
        r"the text of pair 1 must be a string": lambda: reranker.predict((QUERY, value)),
        r"pair 2 must be \(query, text\)": lambda: reranker.predict([(QUERY, "a text"), value]),
        r"^the query must be a string": lambda: reranker.rerank(value, HITS),
        r"the query of request 2 must be a string": lambda: reranker.rerank_batch([(QUERY, HITS), (value, HITS)]),
        r"hit 1 is not \(docid, text, score\)": lambda: reranker.rerank(QUERY, [("d1", value, 1.0)]),
        r"no text for document d1": lambda: reranker.rerank(QUERY, [{"docid": "d1", "text": value, "score": 1.0}]),
        r"^text 1 must be a string": lambda: reranker.hints(QUERY, [value]),
        r"the text must be a string": lambda: reranker.explain(QUERY, value),
    }
    for sentence, call in calls.items():
        with pytest.raises(QPeftError, match=sentence):
            call()
    if value is not None:
        with pytest.raises(QPeftError, match=r"the text of document d1 must be a string"):
            reranker.rerank(QUERY, [("d1", 1.0)], corpus=lambda docid: value)


@pytest.mark.parametrize("texts", ["one text", b"one text", None, 17])
def test_one_text_in_place_of_a_list_is_refused(reranker: QPeftReranker, texts: Any) -> None:
    for call in (lambda: reranker.score(QUERY, texts), lambda: reranker.hints(QUERY, texts)):
        with pytest.raises(QPeftError, match="the texts must be a list of strings, not"):
            call()
    with pytest.raises(QPeftError, match=r"\(query, text\) pairs are needed, not"):
        reranker.predict(texts)


def test_lone_surrogates_are_repaired_as_in_files(reranker: QPeftReranker) -> None:
    broken, repaired = "the river \ud800 Nile", "the river \ufffd Nile"
    expected = reranker.score(repaired, [repaired])
    np.testing.assert_array_equal(reranker.score(broken, [broken]), expected)
    np.testing.assert_array_equal(reranker.predict([(broken, broken)]), expected)
    assert reranker.explain(broken, broken) == reranker.explain(repaired, repaired)
    for hits, corpus in (([("d1", broken, 1.0)], None), ([("d1", 1.0)], {"d1": broken})):
        (hit,) = reranker.rerank(broken, hits, corpus=corpus)
        assert (hit.text, hit.likelihood) == (repaired, pytest.approx(float(expected[0])))


@pytest.mark.parametrize(
    "door",
    [
        lambda reranker: reranker.rerank("q", ["a"], k=-1),
        lambda reranker: asyncio.run(reranker.arerank("q", ["a"], k=-1)),
        lambda reranker: reranker.rerank_batch([("q", ["a"])], k=-1),
        lambda reranker: list(reranker.rerank_stream([("q", ["a"])], k=-1)),
        lambda reranker: reranker.rank("q", ["a"], top_k=-1),
        lambda reranker: RerankingSearcher(SimpleNamespace(search=None), reranker).search("q", k=-1),
        lambda reranker: RerankingSearcher(SimpleNamespace(search=None), reranker).batch_search(["q"], ["1"], k=-1),
        lambda reranker: BeirReranker(reranker).rerank({}, {"1": "q"}, {"1": {"a": 1.0}}, -1),
        lambda reranker: RankLLMReranker(reranker).rerank_batch([], top_k_retrieve=-1),
    ],
)
def test_a_negative_number_of_hits_is_refused_and_cuts_nothing_from_the_end(reranker: QPeftReranker, door: Any) -> None:
    with pytest.raises(QPeftError, match="must not be negative, and is -1"):
        door(reranker)
    assert reranker.rerank("q", ["a"], k=0) == []


def test_texts_come_from_a_corpus_or_a_searcher_and_a_missing_one_is_named(reranker: QPeftReranker) -> None:
    bare = [(docid, score) for docid, _, score in HITS]
    expected = [hit.docid for hit in reranker.rerank(QUERY, HITS)]
    assert [hit.docid for hit in reranker.rerank(QUERY, bare, corpus=PASSAGES)] == expected

    class Searcher:
        def doc(self, docid: str) -> Any:
            text = PASSAGES[docid]
            return SimpleNamespace(raw=lambda: text, contents=lambda: text)

    assert [hit.docid for hit in reranker.rerank(QUERY, bare, searcher=Searcher())] == expected
    with pytest.raises(QPeftError, match=r"d4.*corpus"):
        reranker.rerank(QUERY, bare, corpus={docid: PASSAGES[docid] for docid in ("d1", "d2", "d3", "d5")})
