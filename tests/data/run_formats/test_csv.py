"""Runs as comma-separated values: for spreadsheets and DataFrames, and read again."""

import math

import pandas as pd
import pytest

from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredDoc, ScoredWindow
from pyserini_qpeft.data.runs import format_of, read_run, write_run
from pyserini_qpeft.errors import QPeftError

HITS = [
    RankedHit('d,"1"', 2.5, 1, 9.0, 2, text="not\nwritten", likelihood=-1.5),
    RankedHit("d 2", 1.25, 2, math.nan, 1),
]
LISTS = [RankedList("q,1", "a query", HITS), RankedList("q2", "another", []), RankedList("3", "a third", HITS[:1])]


@pytest.mark.parametrize("name", ["run.csv", "run.csv.gz"])
def test_pandas_reads_what_is_written_and_so_does_read_run(tmp_path, name):
    write_run(tmp_path / name, LISTS, "csv")

    frame = pd.read_csv(tmp_path / name, dtype={"qid": str})
    assert frame.columns.tolist() == [
        *("qid", "docid", "rank", "score", "likelihood", "first_stage_rank", "first_stage_score", "probability"),
        *("best_passage_start", "best_passage_stop"),
    ]
    assert frame.qid.tolist() == ["q,1", "q,1", "3"]
    assert frame.docid.tolist() == ['d,"1"', "d 2", 'd,"1"']
    assert frame.likelihood.isna().tolist() == [False, True, False]
    assert frame.first_stage_score.isna().tolist() == [False, True, False]
    assert format_of(tmp_path / name).name == "csv"
    assert read_run(tmp_path / name) == {
        "q,1": [ScoredDoc('d,"1"', 2.5), ScoredDoc("d 2", 1.25)],
        "3": [ScoredDoc('d,"1"', 2.5)],
    }


def test_files_of_others_are_read_by_the_names_of_their_columns(tmp_path):
    frame = pd.DataFrame(
        {
            **{"qid": ["1", "1"], "docid": [17, 4], "docno": ["a", "b"]},
            **{"rank": [0, 1], "score": [1.5, 2.5], "query": ["q", "q"]},
        }
    )
    frame.to_csv(tmp_path / "pyterrier.csv", index=False)

    assert read_run(tmp_path / "pyterrier.csv") == {"1": [ScoredDoc("b", 2.5), ScoredDoc("a", 1.5)]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("qid,docid,score\nq1,d1\n", r"run:2: 2 fields, where the header has 3"),
        ("qid,docid,score\nq1,d1,high\n", r"run:2: the score 'high' is not a number"),
        ("qid,docid,score\nq1,,1.0\n", r"run:2: the docid is missing"),
        ("qid,docid,score\n", "holds no query"),
        ("id,score\n1,2\n", "is not a line of a run"),
        ("x" * 200_000 + "\n", "is not a line of a run"),
    ],
)
def test_broken_files_are_named_with_their_line(tmp_path, text, sentence):
    (tmp_path / "run").write_text(text)

    with pytest.raises(QPeftError, match=sentence):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("docid", ["a\nb", "a\rb", " "])
def test_an_id_that_no_line_can_hold_is_refused(tmp_path, docid):
    with pytest.raises(QPeftError, match="write JSONL"):
        write_run(tmp_path / "run", [RankedList("q1", "a query", [RankedHit(docid, 1.0, 1, 1.0, 1)])], "csv")


def test_probabilities_and_best_passages_have_columns(tmp_path):
    windows = (ScoredWindow(0, 5, -2.0), ScoredWindow(6, 12, -1.0))
    hits = [
        RankedHit("a", 2.0, 1, 7.0, 1, likelihood=-1.0, probability=0.25, windows=windows),
        RankedHit("b", 1.0, 2, 8.0, 2),
    ]
    write_run(tmp_path / "run.csv", [RankedList("q", "a query", hits)], "csv")
    frame = pd.read_csv(tmp_path / "run.csv")
    assert frame.probability.tolist()[0] == 0.25
    assert (frame.best_passage_start[0], frame.best_passage_stop[0]) == (6, 12)
    assert frame.loc[1, ["likelihood", "probability", "best_passage_start"]].isna().all()
