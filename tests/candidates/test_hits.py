import copy
from types import SimpleNamespace

import numpy as np
import pytest

from pyserini_qpeft.candidates.hits import first_stage_hits, to_candidates
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import from_mapping
from pyserini_qpeft.data.records import RankedHit, ScoredDoc
from pyserini_qpeft.errors import QPeftError

TEXTS = from_mapping({"7": "looked up", "8": "looked up too"})


def rank_llm_candidate(**fields):
    return pytest.importorskip("rank_llm.data").Candidate(**fields)


def faiss_hit():
    from pyserini_qpeft.lucene.jvm import start_jvm

    start_jvm()  # importing Pyserini's dense searchers needs Java too
    from pyserini.search.faiss import DenseSearchResult

    return DenseSearchResult("7", np.float32(2.5))


def test_what_is_given_as_records_of_this_package():
    ranked = RankedHit("7", -1.5, 1, first_stage_score=9.0, first_stage_rank=3, text="kept", likelihood=-1.5)

    assert to_candidates([Candidate("7", "own", 2.5), ScoredDoc("7", 2.5, "in the run"), ranked]) == [
        Candidate("7", "own", 2.5),
        Candidate("7", "in the run", 2.5),
        Candidate("7", "kept", -1.5),
    ]


@pytest.mark.parametrize(
    "hit",
    [
        ("7", "own", 2.5),
        (7, "own", 2.5),
        ("7", "own", np.float32(2.5)),
        {"docid": 7, "score": "2.5", "text": "own"},
        {"id": "7", "score": 2.5, "contents": "own"},
        {"docid": "7", "score": 2.5, "doc": {"segment": "own"}},
        SimpleNamespace(docid="7", score=2.5, text="own"),
        SimpleNamespace(text="own", metadata={"docid": "7"}, score=2.5),
    ],
)
def test_a_hit_that_brings_its_text_keeps_it(hit):
    assert to_candidates([hit], TEXTS) == [Candidate("7", "own", 2.5)]


@pytest.mark.parametrize("hit", [("7", 2.5), (7, np.float64(2.5)), {"docid": "7", "score": 2.5}, ScoredDoc("7", 2.5)])
def test_a_hit_without_text_gets_it_from_the_source(hit):
    assert to_candidates([hit], TEXTS) == [Candidate("7", "looked up", 2.5)]


def test_a_faiss_hit_gets_its_text_from_the_source():
    assert to_candidates([faiss_hit()], TEXTS) == [Candidate("7", "looked up", 2.5)]


def test_a_rank_llm_candidate_with_a_title():
    hit = rank_llm_candidate(docid=7, score=2.5, doc={"title": "T", "passage": "own"})

    assert to_candidates([hit]) == [Candidate("7", "T\nown", 2.5)]


class TestLuceneHits:
    """Hits as LuceneSearcher gives them, on the index that Anserini's authors made of CACM."""

    @pytest.fixture(scope="class")
    def searcher(self, shared, tmp_path_factory):
        import tarfile

        from pyserini_qpeft.lucene import open_searcher

        folder = tmp_path_factory.mktemp("cacm")
        with tarfile.open(shared / "data/cacm/lucene9-index.cacm.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        return open_searcher(folder / "lucene9-index.cacm")

    def test_carry_their_text(self, searcher):
        candidates = to_candidates(searcher.search("information retrieval", k=10))

        assert (candidates[0].docid, round(candidates[0].score, 5)) == ("CACM-3134", 4.76550)
        assert candidates[0].text.startswith("The Use of Normal Multiplication Tables\nfor Information Storage")
        assert candidates[9].docid == "CACM-2516"

    def test_give_way_to_a_corpus_named_by_the_user(self, searcher):
        hits = searcher.search("information retrieval", k=2)

        texts = from_mapping({"CACM-3134": "from the corpus"})

        assert to_candidates(hits, texts)[0].text == "from the corpus"
        assert to_candidates(hits, texts)[1].text == to_candidates(hits)[1].text


def test_the_hits_stay_as_they_are():
    hits = [{"docid": 7, "score": 2.5}, SimpleNamespace(docid="8", score=1.0), ("9", "own", 0.5)]
    before = copy.deepcopy(hits)

    to_candidates(hits, TEXTS)

    assert hits == before


def test_order_repeats_and_equal_scores_are_left_alone():
    hits = [("8", 1.0), ("7", 1.0), ("8", 1.0)]

    assert [candidate.docid for candidate in to_candidates(hits, TEXTS)] == ["8", "7", "8"]


def test_no_hits_are_no_candidates():
    assert to_candidates([]) == []
    assert to_candidates(iter(())) == []
    assert first_stage_hits([]) == []


def test_an_empty_text_is_a_text():
    assert to_candidates([("1", "", 1.0)]) == [Candidate("1", "", 1.0)]


@pytest.mark.parametrize("texts", [None, TEXTS])
def test_a_hit_without_text_anywhere_names_the_docid_and_the_three_ways(texts):
    with pytest.raises(QPeftError, match=r"no text for document MED-10: .*-storeRaw.*searcher=.*corpus="):
        to_candidates([("7", "own", 2.0), ("MED-10", 1.0)], texts)


@pytest.mark.parametrize("score", [None, float("nan"), float("inf"), np.float32("nan")])
@pytest.mark.parametrize("read", [to_candidates, first_stage_hits])
def test_a_score_that_is_missing_or_not_finite_is_left_to_the_ranking(score, read):
    (hit,) = read([{"docid": "MED-10", "text": "text", "score": score}])

    assert not np.isfinite(hit.score)


@pytest.mark.parametrize(
    ("hit", "message"),
    [
        ("MED-10", "hit 1 is a text .*there is a corpus"),
        (("MED-10",), r"hit 1 is not \(docid, text, score\) or \(docid, score\)"),
        (("MED-10", 1.0, "text"), r"hit 1 is not \(docid, text, score\)"),
        (("MED-10", "text"), "score of document MED-10 is not a number: 'text'"),
        (("", "text", 1.0), "hit 1 has no docid"),
        ({"score": 1.0, "text": "own"}, "hit 1 has no docid"),
    ],
)
def test_what_is_no_hit_is_refused_in_one_sentence(hit, message):
    with pytest.raises(QPeftError, match=message):
        to_candidates([hit], TEXTS)


def test_first_stage_hits_keep_order_and_scores_and_need_no_text():
    assert first_stage_hits([("a", 9.0), {"docid": 3, "score": 9.0}], first_rank=11) == [
        RankedHit("a", 9.0, 11, first_stage_score=9.0, first_stage_rank=11),
        RankedHit("3", 9.0, 12, first_stage_score=9.0, first_stage_rank=12),
    ]
