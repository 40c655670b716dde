"""Runs of passages folded into documents, and unfolded again."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.records import RankedHit, ScoredDoc, ScoredWindow
from pyserini_qpeft.windows.passage_run import FoldedRun, document_of, fold, unfold

DOCIDS = st.lists(
    st.tuples(st.sampled_from(["d", "e#f", "http://x/#a", "7"]), st.integers(0, 12)).map(lambda p: f"{p[0]}#{p[1]}"),
    unique=True,
    max_size=25,
)
PASSAGES = DOCIDS.map(lambda docids: [ScoredDoc(docid, 30.0 - place // 2) for place, docid in enumerate(docids)])


@pytest.mark.parametrize(
    ("docid", "document"),
    [
        ("msmarco_v2.1_doc_00_0#3", "msmarco_v2.1_doc_00_0"),
        ("http://a/#b#12_345", "http://a/#b"),
        ("plain", "plain"),
        ("#3", "#3"),
    ],
)
def test_a_passage_is_from_the_document_before_its_last_hash(docid: str, document: str) -> None:
    assert document_of(docid) == document


def test_documents_come_in_the_order_of_their_best_passages_which_are_in_document_order() -> None:
    hits = [ScoredDoc(*hit) for hit in [("b#10", 9.0), ("a#1_7", 8.0), ("b#9", 7.0), ("c", 6.0), ("b#2", 5.0)]]
    assert [(one.docid, one.score) for one in fold(hits)] == [("b", 9.0), ("a", 8.0), ("c", 6.0)]
    assert [[passage.docid for passage in one.passages] for one in fold(hits)] == [
        ["b#2", "b#9", "b#10"],
        ["a#1_7"],
        ["c"],
    ]


@given(PASSAGES)
def test_folding_loses_no_passage(hits: list[ScoredDoc]) -> None:
    folded = fold(hits)
    assert sorted(passage.docid for one in folded for passage in one.passages) == sorted(hit.docid for hit in hits)
    assert [one.score for one in folded] == sorted((one.score for one in folded), reverse=True)
    assert all(one.score == max(passage.score for passage in one.passages) for one in folded)


def test_a_run_of_documents_gives_their_order_and_scores() -> None:
    passages = {"q1": [ScoredDoc("a#1", 3.0), ScoredDoc("b#0", 2.0), ScoredDoc("a#0", 1.0)]}
    documents = {"q1": [ScoredDoc("b", 8.0), ScoredDoc("z", 7.0), ScoredDoc("a", 6.0)], "q2": [ScoredDoc("a", 1.0)]}
    folded = FoldedRun(passages, documents)
    assert list(folded) == ["q1", "q2"]
    assert len(folded) == 2
    found = {hit.docid: (hit.score, [one.docid for one in hit.passages]) for hit in folded["q1"]}
    assert found == {"b": (8.0, ["b#0"]), "z": (7.0, []), "a": (6.0, ["a#0", "a#1"])}
    assert folded["q2"] == documents["q2"]
    assert list(FoldedRun(passages)) == ["q1"]
    assert FoldedRun(passages)["q1"] == fold(passages["q1"])


@given(hits=PASSAGES, depth=st.integers(0, 5), seed=st.integers(0, 99))
def test_unfolding_gives_the_passages_back_in_the_order_of_documents(
    hits: list[ScoredDoc], depth: int, seed: int
) -> None:
    random, folded = np.random.default_rng(seed), fold(hits)
    order = random.permutation(len(folded))
    ranked = []
    for rank, place in enumerate(order.tolist(), start=1):
        one = folded[place]
        windows = tuple(
            ScoredWindow(10 * n, 10 * n + 9, float(random.integers(-5, 0)), passage.docid)
            for n, passage in enumerate(one.passages if rank <= depth else ())
        )
        text = "x" * 10 * len(one.passages)
        ranked.append(RankedHit(one.docid, -float(rank // 3), rank, one.score, place + 1, text, windows=windows))
    found = unfold(ranked, hits)
    assert [hit.rank for hit in found] == list(range(1, len(hits) + 1))
    assert sorted(hit.docid for hit in found) == sorted(hit.docid for hit in hits)
    documents = list(dict.fromkeys(document_of(hit.docid) for hit in found))
    assert documents == [one.docid for one in ranked]
    scores = np.array([hit.score for hit in found], dtype=np.float32)
    assert (np.diff(scores) < 0).all()
    expected = {one.docid: one.score for one in ranked}
    assert all(hit.score == pytest.approx(expected[document_of(hit.docid)], abs=1e-4) for hit in found)
    for hit in found:
        assert hits[hit.first_stage_rank - 1] == ScoredDoc(hit.docid, hit.first_stage_score)
    for one, other in pairwise(found):
        if document_of(one.docid) == document_of(other.docid):
            best = [-hit.best_passage.likelihood if hit.best_passage else np.inf for hit in (one, other)]
            keys = [(best[0], one.first_stage_rank), (best[1], other.first_stage_rank)]
            assert keys == sorted(keys)


def test_an_unfolded_passage_has_its_text_and_its_own_windows() -> None:
    windows = (ScoredWindow(0, 3, -2.0, "d#1"), ScoredWindow(4, 6, -3.0, "d#2"), ScoredWindow(7, 9, -1.0, "d#2"))
    document = RankedHit("d", -1.0, 1, 5.0, 1, "one tw o2", likelihood=-1.0, windows=windows)
    alone = RankedHit("z", -2.0, 2, 4.0, 2)
    passages = [ScoredDoc("d#1", 5.0), ScoredDoc("d#2", 4.5), ScoredDoc("d#7", 4.0), ScoredDoc("left#0", 1.0)]
    second, first, unread, other = unfold([document, alone], passages)
    assert (second.docid, second.text, second.likelihood) == ("d#2", "tw o2", -1.0)
    assert second.windows == (ScoredWindow(0, 2, -3.0), ScoredWindow(3, 5, -1.0))
    assert (first.docid, first.text, first.first_stage_score) == ("d#1", "one", 5.0)
    assert (unread.docid, unread.text, unread.likelihood) == ("d#7", None, None)
    assert (other.docid, other.first_stage_score, other.rank) == ("z", 4.0, 4)
    # The last stage of a cascade did not rescore the document: its windows are those of an earlier model.
    earlier = unfold([replace(document, likelihood=None), alone], passages)
    assert [hit.docid for hit in earlier] == ["d#2", "d#1", "d#7", "z"]
    assert [hit.likelihood for hit in earlier] == [None] * 4
    assert earlier[0].best_passage is not None
