import gzip

import pytest

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.errors import QPeftError

QRELS = {"1": {"a": 2, "b": 0}, "q2": {"a": 1}}


@pytest.fixture
def qrels_file(tmp_path):
    def write(text: str):
        path = tmp_path / "qrels"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "1 0 a 2\n1 0 b 0\nq2 0 a 1\n",
        "1\tQ0\ta\t2\n\n1\tQ0\tb\t0\r\nq2  0 a 1",
        "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\nq2\ta\t1\n",
        "1\ta\t2\n1\tb\t0\nq2\ta\t1.0\n",
    ],
)
def test_judgements_read_the_same_from_every_form(qrels_file, text, tmp_path):
    path = qrels_file(text)
    (tmp_path / "zipped").write_bytes(gzip.compress(path.read_bytes()))

    assert read_qrels(path) == read_qrels(tmp_path / "zipped") == QRELS
    assert list(read_qrels(path)) == ["1", "q2"]


def test_ir_measures_reads_the_same_judgements(qrels_file):
    import ir_measures

    path = qrels_file("1 0 a 2\n1 0 b 0\nq2 0 a 1\n")
    theirs = [(qrel.query_id, qrel.doc_id, qrel.relevance) for qrel in ir_measures.read_trec_qrels(str(path))]

    assert theirs == [
        (qid, docid, grade) for qid, grades in read_qrels(path).items() for docid, grade in grades.items()
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty, where qrels were expected"),
        ("query-id\tcorpus-id\tscore\n", "is empty, where qrels were expected"),
        ("1 a\n", "qrels:1: 2 columns, where qrels have 4"),
        ("1 0 a 1 x\n", "qrels:1: 5 columns"),
        ("1 0 a 1\n1 b 1\n", "qrels:2: 3 columns, where the lines before have 4"),
        ("1 0 a high\n", "qrels:1: the grade 'high' is not a whole number"),
        ("1 0 a 0.5\n", "qrels:1: the grade '0.5' is not a whole number"),
        ("1 0 a nan\n", "qrels:1: the grade 'nan' is not a whole number"),
        ("1 0 a 1\n1 0 a 0\n", "qrels:2: document a has two different grades for query 1"),
        ("1 0 a 200000\n", "qrels:1: the grade '200000' is not a whole number up to 100000"),
        ("1 0 a 1e300\n", "qrels:1: the grade '1e300' is not a whole number"),
        ("query-id Q0 corpus-id score\n", "qrels:1: BEIR's header must be"),
    ],
)
def test_what_are_no_judgements_is_refused_in_one_sentence(qrels_file, text, message):
    with pytest.raises(QPeftError, match=message):
        read_qrels(qrels_file(text))


def test_negative_grades_and_repeated_lines_are_read_with_a_note(qrels_file, caplog):
    path = qrels_file("1 0 a -2\n2 0 c 1\n1 0 b 1\n1 0 b 1\n")

    assert read_qrels(path) == {"1": {"a": -2, "b": 1}, "2": {"c": 1}}
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: lines that repeat an earlier one and count once: 1",
        f"{path}: negative grades, which count as not relevant: 1",
    ]


def test_blanks_may_stand_for_the_tabs_of_beir_and_tabs_keep_a_docid_with_a_blank(qrels_file):
    assert read_qrels(qrels_file("query-id corpus-id score\n1 a 1\n")) == {"1": {"a": 1}}
    assert read_qrels(qrels_file("query-id\tcorpus-id\tscore\n1\ta b\t1\n1 c 0\n")) == {"1": {"a b": 1, "c": 0}}
