"""Hits may come as texts alone, DataFrames and mappings, in the names that other libraries use."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pyserini_qpeft.candidates.hit_lists import listed
from pyserini_qpeft.candidates.hits import first_stage_hits, to_candidates
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import from_list
from pyserini_qpeft.errors import QPeftError

TWO = [Candidate("7", "own", 2.5), Candidate("8", "another", 1.5)]


def without_scores(candidates):
    assert all(math.isnan(candidate.score) for candidate in candidates)
    return [(candidate.docid, candidate.text) for candidate in candidates]


@pytest.mark.parametrize("docid", ["docid", "docno", "pid", "corpus_id", "_id", "id", "doc_id"])
@pytest.mark.parametrize("score", ["score", "relevance_score"])
@pytest.mark.parametrize("text", ["text", "contents"])
def test_names_of_other_libraries_are_known_in_mappings_frames_and_rows(docid, score, text):
    rows = [{docid: 7, score: 2.5, text: "own"}, {docid: "8", score: np.float32(1.5), text: "another"}]
    frame = pd.DataFrame(rows)

    assert to_candidates(rows) == TWO
    assert to_candidates(frame) == TWO
    assert to_candidates(frame.iloc[::-1].sort_values(score, ascending=False)) == TWO
    if text == "text":
        assert to_candidates([SimpleNamespace(**row) for row in rows]) == TWO
        if docid != "_id":  # pandas renames names with an underscore
            assert to_candidates(frame.itertuples()) == TWO
            assert to_candidates(row for _, row in frame.iterrows()) == TWO


def test_a_frame_of_pyterrier_with_missing_values_keeps_its_order_and_is_not_changed():
    frame = pd.DataFrame(
        {
            "qid": ["1", "1", "1"],
            "docno": ["d3", "d1", "d2"],
            "score": [3.0, float("nan"), 1.0],
            "rank": [0, 1, 2],
            "text": ["a", None, "c"],
        }
    )
    before = frame.copy()

    hits = first_stage_hits(frame)

    assert [hit.docid for hit in hits] == ["d3", "d1", "d2"]
    assert math.isnan(hits[1].score)
    with pytest.raises(QPeftError, match="no text for document d1"):
        to_candidates(frame)
    assert to_candidates(frame, {"d1": "b"}.get)[1].text == "b"
    pd.testing.assert_frame_equal(frame, before)
    assert to_candidates(frame.iloc[:0]) == []
    with pytest.raises(QPeftError, match="hit 1 has no docid"):
        to_candidates(pd.DataFrame({"name": ["x"]}))


def test_a_frame_of_polars():
    polars = pytest.importorskip("polars")

    assert (
        to_candidates(polars.DataFrame({"docid": ["7", "8"], "text": ["own", "another"], "score": [2.5, 1.5]})) == TWO
    )


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array, pd.Series])
def test_texts_alone_have_their_places_as_docids(kind):
    assert without_scores(to_candidates(kind(["a", "b", "c"]))) == [("0", "a"), ("1", "b"), ("2", "c")]
    assert listed(listed(["a"])) == listed(["a"])


def test_a_mapping_of_scores_is_sorted_and_one_of_texts_keeps_its_order():
    assert [hit.docid for hit in first_stage_hits({"a": 1, "b": np.float32(3), 7: 2.0})] == ["b", "7", "a"]
    assert without_scores(to_candidates({"b": "text b", 7: "text 7"})) == [("b", "text b"), ("7", "text 7")]
    assert to_candidates({}) == []


@pytest.mark.parametrize(
    ("hits", "sentence"),
    [
        ("one text", "must be a list of hits or texts"),
        (None, "must be a list of hits or texts"),
        (17, "must be a list of hits or texts"),
        ({"docid": "7", "text": "own"}, "must be a list, also if there is one hit"),
        ({"a": 1.0, "b": "text"}, "docid to score or docid to text"),
    ],
)
def test_what_holds_no_hits_is_refused(hits, sentence):
    with pytest.raises(QPeftError, match=sentence):
        listed(hits)


def test_docids_without_scores_are_not_taken_for_texts_if_there_is_a_corpus():
    with pytest.raises(QPeftError, match=r"hit 1 is a text \('d1'\), and there is a corpus"):
        to_candidates(["d1", "d2"], {"d1": "own"}.get)


def test_places_in_a_list_are_docids_of_its_texts():
    hits = [{"corpus_id": 1, "score": 0.9}, {"corpus_id": 0, "score": 0.4}]

    assert [one.text for one in to_candidates(hits, from_list(["first", "second"]))] == ["second", "first"]
    with pytest.raises(QPeftError, match="no text for document 2"):
        to_candidates([{"corpus_id": 2, "score": 0.9}], from_list(["first", "second"]))
