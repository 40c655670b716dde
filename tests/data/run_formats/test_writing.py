import dataclasses
import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredDoc
from pyserini_qpeft.data.runs import formatter, read_run, write_run
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.errors import QPeftError


def ranked_list(scores, qid="q1", **fields) -> RankedList:
    hits = [RankedHit(f"d{rank}", score, rank, 10.5, 7) for rank, score in enumerate(scores, start=1)]
    return RankedList(qid, fields.pop("query", "a query"), hits, **fields)


RESULTS = [ranked_list([-1.25, -1.25, -3e-8]), ranked_list([2.5], qid="2", query="naïve 🙂"), ranked_list([], qid="q3")]
RESULTS[0] = dataclasses.replace(RESULTS[0], hits=[dataclasses.replace(hit, score=-1.25) for hit in RESULTS[0].hits])


def test_trec_has_six_columns(tmp_path):
    write_run(tmp_path / "run", RESULTS, tag="mine")

    assert (tmp_path / "run").read_text() == (
        "q1 Q0 d1 1 -1.25 mine\nq1 Q0 d2 2 -1.25 mine\nq1 Q0 d3 3 -1.25 mine\n2 Q0 d1 1 2.5 mine\n"
    )


def test_msmarco_has_ids_and_rank(tmp_path):
    write_run(tmp_path / "run.gz", RESULTS, "msmarco")

    assert gzip.decompress((tmp_path / "run.gz").read_bytes()) == b"q1\td1\t1\nq1\td2\t2\nq1\td3\t3\n2\td1\t1\n"


def test_jsonl_has_what_is_known_and_nothing_else(tmp_path):
    hits = [
        RankedHit("a", -1.5, 1, 9.25, 2, text="naïve 🙂\ntext", likelihood=-1.5),
        RankedHit("b", -2.5, 2, 9.75, 1),
    ]
    write_run(
        tmp_path / "run", [RankedList("1", "a query", hits, hints=[["heart", "statin"], None], seconds=0.25)], "jsonl"
    )

    assert "naïve 🙂" in (tmp_path / "run").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "run").read_text(encoding="utf-8")) == {
        "qid": "1",
        "query": "a query",
        "hits": [
            {
                "docid": "a",
                "score": -1.5,
                "rank": 1,
                "first_stage_score": 9.25,
                "first_stage_rank": 2,
                "likelihood": -1.5,
                "text": "naïve 🙂\ntext",
                "hints": ["heart", "statin"],
            },
            {
                "docid": "b",
                "score": -2.5,
                "rank": 2,
                "first_stage_score": 9.75,
                "first_stage_rank": 1,
                "likelihood": None,
            },
        ],
        "seconds": 0.25,
    }


def test_jsonl_reads_back_as_run_and_topics(tmp_path):
    write_run(tmp_path / "run", RESULTS, "jsonl")

    assert read_topics(tmp_path / "run") == {result.qid: result.query for result in RESULTS}
    assert read_run(tmp_path / "run") == {
        result.qid: [ScoredDoc(hit.docid, hit.score) for hit in result.hits] for result in RESULTS
    }


FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1.001, -1.0),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(np.float32),
)


@pytest.mark.parametrize("form", ["trec", "csv", "jsonl"])
@given(scores=st.lists(FLOATS, min_size=1, max_size=20))
def test_no_new_tie_appears_in_print(tmp_path_factory, form, scores):
    scores.sort(key=float, reverse=True)
    path = tmp_path_factory.mktemp("run") / "run"

    write_run(path, [ranked_list(scores)], form)

    read = read_run(path)["q1"]
    assert [hit.score for hit in read] == [float(score) for score in scores]
    assert [hit.docid for hit in read] == [f"d{rank}" for rank in range(1, len(scores) + 1)]


def test_neighbouring_single_precision_scores_stay_apart():
    below = np.nextafter(np.float32(-3.1), np.float32(-4))

    lines = formatter("trec")(ranked_list([np.float32(-3.1), below])).splitlines()

    assert [np.float32(line.split()[4]) for line in lines] == [np.float32(-3.1), below]
    assert float(lines[0].split()[4]) > float(lines[1].split()[4])


def test_ir_measures_reads_what_is_written(tmp_path):
    import ir_measures

    write_run(tmp_path / "run", RESULTS)

    read = [(line.query_id, line.doc_id, line.score) for line in ir_measures.read_trec_run(str(tmp_path / "run"))]
    assert read == [(result.qid, hit.docid, hit.score) for result in RESULTS for hit in result.hits]


@pytest.mark.parametrize("form", ["trec", "msmarco", "csv", "jsonl"])
class TestRefusals:
    @pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
    def test_a_score_that_is_not_a_number_names_query_and_document(self, tmp_path, form, score):
        with pytest.raises(QPeftError, match="query q1: the score of document d2 is"):
            write_run(tmp_path / "run", [RESULTS[1], ranked_list([1.0, score])], form)
        assert list(tmp_path.iterdir()) == []

    def test_a_list_out_of_order_would_be_read_in_another_one(self, tmp_path, form):
        with pytest.raises(QPeftError, match="query q1: document d2 scores above the one before it"):
            write_run(tmp_path / "run", [ranked_list([1.0, 2.0])], form)

    def test_a_missing_folder_is_one_sentence(self, tmp_path, form):
        with pytest.raises(QPeftError, match=r"the folder .*absent does not exist"):
            write_run(tmp_path / "absent" / "run", RESULTS, form)


@pytest.mark.parametrize("form", ["trec", "msmarco"])
@pytest.mark.parametrize("ids", [{"qid": "q 1"}, {"docid": "d\t1"}, {"qid": "q\n"}, {"docid": ""}])
def test_an_id_that_would_shift_the_columns_is_refused_where_there_are_columns(tmp_path, form, ids):
    hit = RankedHit(ids.get("docid", "d"), 1.0, 1, 1.0, 1)
    result = RankedList(ids.get("qid", "q"), "a query", [hit])

    with pytest.raises(QPeftError, match="write JSONL"):
        write_run(tmp_path / "run", [result], form)
    write_run(tmp_path / "run", [result], "jsonl")


def test_a_tag_is_one_word(tmp_path):
    with pytest.raises(QPeftError, match="must be one word, not 'two words'"):
        write_run(tmp_path / "run", RESULTS, tag="two words")
