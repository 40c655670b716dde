import gzip
import logging

import pytest

from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.runs import read_run
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

    assert read_run(path) == {"2": [ScoredDoc("b", 3.5)], "1": [ScoredDoc("a", -0.002)]}
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


def test_the_better_hit_of_a_docid_that_occurs_twice_is_kept_and_the_other_is_counted(run_file, caplog):
    path = run_file("1 Q0 a 2 2 t\n1 Q0 a 1 3 t\n1 Q0 a 3 1 t\n2 Q0 b 1 1 t\n2 Q0 b 2 1 t\n")

    with caplog.at_level(logging.WARNING):
        assert read_run(path) == {"1": [ScoredDoc("a", 3)], "2": [ScoredDoc("b", 1)]}

    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 3 hits repeat a docid of their query and are left out, first a for query 1"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty, where a run was expected"),
        ("1 Q0 a 1 2.0 t\n1 Q0 b 2 1.0\n", r"run\.txt:2: 5 columns, where a TREC run has 6"),
        (
            "1\ta\tb\n",
            r"run\.txt: the first line '1\\ta\\tb' is not a line of a run \(jsonl: .*; trec: qid Q0 docid rank",
        ),
        ("1 0 a 1\n", r"run\.txt: the first line '1 0 a 1' is not a line of a run"),
        ("1 a 1\n1 b 1\n", r"run\.txt:2: query 1 has rank 1 twice; is this a file of qrels"),
        ("1 a 1\n1 b 0\n", r"run\.txt:2: not a line of an MS MARCO run"),
        ("[]", "holds no query"),
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
    "text",
    [
        "1 Q0 b 2 2.0 t\n1 Q0 a 1 3.0 t\n2 Q0 c 1 1.0 t\n",
        "1 Q0 a 1 3.0 t\n2 Q0 c 1 1.0 t\n1 Q0 b 2 2.0 t\n",
        "1 Q0 a 0 3.0 t\n1 Q0 b 0 2.0 t\n2 Q0 c 0 1.0 t\n",
        "1 Q0 a 1.0 3.0 t\n1 Q0 b first 2.0 t\n2 Q0 c - 1.0 t\n",
    ],
)
def test_ranks_are_ignored_and_lines_may_stand_in_any_order_as_in_trec_eval(run_file, text):
    assert read_run(run_file(text)) == {"1": [ScoredDoc("a", 3.0), ScoredDoc("b", 2.0)], "2": [ScoredDoc("c", 1.0)]}


def test_msmarco_runs_are_read_by_rank(run_file):
    path = run_file("1\tb\t2\n1\ta\t1\n2\ta\t1\n")

    assert read_run(path) == {"1": [ScoredDoc("a", 1.0), ScoredDoc("b", 0.5)], "2": [ScoredDoc("a", 1.0)]}


def test_ids_may_hold_white_space_other_than_blanks_and_tabs(run_file):
    path = run_file("1 Q0 a\u00a0b 1 2.0 t\n1 Q0 a\u2028c 2 1.0 t\n")

    assert [hit.docid for hit in read_run(path)["1"]] == ["a\u00a0b", "a\u2028c"]
