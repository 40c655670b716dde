"""A run that shares nothing with its judgements is refused with the line that shows it."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.overlap import check_overlap

QRELS = {"q1": {"a": 1}, "1": {"b": 0}, "q3": {"c": 1}, "q4": {"a": 1}}


def checked(path: Path, text: str) -> None:
    path.write_text(text)
    check_overlap(read_run(path), QRELS, path, "my-qrels")


def test_one_query_and_one_document_in_common_are_enough(tmp_path: Path):
    checked(tmp_path / "run", "q1 Q0 x 1 2 t\nq1 Q0 b 2 1 t\nq9 Q0 a 1 1 t\n")


def test_no_query_in_common_names_the_first_query_of_the_run(tmp_path: Path):
    with pytest.raises(QPeftError) as mistake:
        checked(tmp_path / "run", "\nq11 Q0 a 1 2 t\nq12 Q0 a 1 2 t\n")
    assert str(mistake.value) == (
        f"{tmp_path}/run:2: query q11 is not in my-qrels, nor is any other query of the run "
        "(run: q11, q12; qrels: q1, 1, q3, …); give the qrels of the same topics"
    )


def test_no_document_in_common_names_the_line_of_the_first_document(tmp_path: Path):
    # Rank 1 and query q1 are no document 1 of query 1.
    run = "q9 Q0 a 1 9 t\nq9 Q0 1 2 8 t\n1 Q0 11 1 2 t\n1 Q0 1 2 1 t\n"
    with pytest.raises(QPeftError, match=r"run:3: document 11 is not in my-qrels, nor is any other"):
        checked(tmp_path / "run", run)


def test_jsonl_has_lines_and_one_json_value_over_several_lines_has_none(tmp_path: Path):
    def request(qid: str) -> dict:
        return {"query": {"text": "?", "qid": qid}, "candidates": [{"docid": "x", "score": 1.0, "doc": {"text": "x"}}]}

    lines = "\n".join(json.dumps(request(qid)) for qid in ("q9", "q1"))
    with pytest.raises(QPeftError, match=r"run.jsonl:2: document x is not in"):
        checked(tmp_path / "run.jsonl", lines)
    with pytest.raises(QPeftError, match=r"run.json: document x is not in"):
        checked(tmp_path / "run.json", json.dumps([request("q1")], indent=1))
