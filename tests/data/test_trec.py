import gzip
import json
import logging

import pytest

from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.trec import read_run
from pyserini_qpeft.errors import QPeftError


@pytest.fixture
def run_file(tmp_path):
    def write(text: str):
        path = tmp_path / "run.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_columns_may_be_parted_by_any_white_space_and_the_tag_may_have_some(run_file):
    path = run_file("2\tQ0\tb\t1\t3.5\tbm25\n\n1  Q0 a  1 -2e-3 a long tag\r\n")

    assert read_run(path, strict=True) == {"2": [ScoredDoc("b", 3.5)], "1": [ScoredDoc("a", -0.002)]}
    assert list(read_run(path)) == ["2", "1"]


def test_a_gzipped_run_reads_the_same(tmp_path, run_file):
    path = run_file("1 Q0 a 1 2.0 t\n")
    (tmp_path / "run.gz").write_bytes(gzip.compress(path.read_bytes()))

    assert read_run(tmp_path / "run.gz") == read_run(path)


def test_scores_give_the_order_and_equal_ones_keep_that_of_the_file(run_file):
    path = run_file("1 Q0 z 1 1.0 t\n1 Q0 c 2 5.0 t\n1 Q0 a 3 1.0 t\n1 Q0 m 4 1.0 t\n")

    assert [hit.docid for hit in read_run(path)["1"]] == ["c", "z", "a", "m"]


def test_single_precision_scores_keep_all_their_digits(run_file):
    path = run_file("1 Q0 a 1 10.066300392150879 t\n1 Q0 b 2 10.066300392150877 t\n")

    assert [hit.score for hit in read_run(path)["1"]] == [10.066300392150879, 10.066300392150877]


def test_a_docid_that_occurs_twice_is_kept_and_told_of_once(run_file, caplog):
    path = run_file("1 Q0 a 1 3 t\n1 Q0 a 2 2 t\n1 Q0 a 3 1 t\n2 Q0 b 1 1 t\n2 Q0 b 2 1 t\n")

    with caplog.at_level(logging.WARNING):
        assert [hit.score for hit in read_run(path)["1"]] == [3, 2, 1]

    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 3 hits repeat a docid of their query, first a for query 1"
    ]
    with pytest.raises(QPeftError, match="document a for query 1 occurs twice"):
        read_run(path, strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty, where a run was expected"),
        ("1 Q0 a 1 2.0 t\n1 Q0 b 2 1.0\n", r"run\.txt:2: 5 columns, where a TREC run has 6"),
        ("1\ta\t1\n", r"run\.txt:1: 3 columns, where a TREC run has 6"),
        ("1 Q0 a 1 high t\n", r"run\.txt:1: the score 'high' is not a number"),
        ("1 Q0 a 1 2.0 t\n1 Q0 b 2 nan t\n", r"run\.txt:2: the score is nan"),
        ("1 Q0 a 1 -inf t\n", r"run\.txt:1: the score is -inf"),
        ('{"query": {"qid": 1, "text": "q"}, "candidates": []}\n{"query": \n', r"run\.txt:2: broken JSON"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence(run_file, text, message):
    with pytest.raises(QPeftError, match=message):
        read_run(run_file(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 Q0 a 1 1.0 t\n1 Q0 b 2 2.0 t\n", r"run\.txt:2: score 2\.0 of query 1 is above that of the line before"),
        ("1 Q0 a 2 2.0 t\n1 Q0 b 1 1.0 t\n", r"run\.txt:2: rank 1 of query 1 does not follow 2"),
        ("1 Q0 a 1 2.0 t\n1 Q0 b 1 1.0 t\n", r"run\.txt:2: rank 1 of query 1 does not follow 1"),
        ("1 Q0 a first 2.0 t\n", r"run\.txt:1: the rank 'first' is not a whole number"),
        ("1 Q0 a 1 2.0 t\n2 Q0 a 1 2.0 t\n1 Q0 b 2 1.0 t\n", r"run\.txt:3: query 1 occurs a second time"),
        ("1 Q0 a 1 2.0 t\n1 Q0 a 2 1.0 t\n", "document a for query 1 occurs twice"),
    ],
)
def test_strictly_more_is_refused_that_reranking_takes(run_file, text, message):
    path = run_file(text)

    assert read_run(path)
    with pytest.raises(QPeftError, match=message):
        read_run(path, strict=True)


def test_ranks_may_begin_at_0_and_scores_may_be_equal(run_file):
    path = run_file("1 Q0 a 0 1.0 t\n1 Q0 b 1 1.0 t\n2 Q0 c 1 7 t\n")

    assert [len(hits) for hits in read_run(path, strict=True).values()] == [2, 1]


def test_strictness_holds_for_json_too(tmp_path):
    path = tmp_path / "run.jsonl"
    hits = [{"docid": "a", "score": 1}, {"docid": "b", "score": 2}]
    path.write_text(json.dumps({"qid": "1", "query": "q", "hits": hits}))

    assert [hit.docid for hit in read_run(path)["1"]] == ["b", "a"]
    with pytest.raises(QPeftError, match="the scores of query 1 do not descend"):
        read_run(path, strict=True)
