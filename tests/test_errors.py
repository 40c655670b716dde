"""Mistyped names get a suggestion, wherever a name is given."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.runs import formatter
from pyserini_qpeft.errors import NonFiniteScoreError, QPeftError, did_you_mean
from pyserini_qpeft.evaluation.measures import parse_measures
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.source import find_source
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.losses.config import LossConfig


def test_the_nearest_names_come_first_and_case_does_not_matter() -> None:
    known = ["zscore", "minmax", "linear", "rrf"]
    assert did_you_mean("z-score", known) == " Did you mean 'zscore'?"
    assert did_you_mean("RFR", known) == " Did you mean 'rrf'?"
    assert did_you_mean("ndgc", ["nDCG", "NERR8", "AP"]) == " Did you mean 'nDCG'?"
    assert did_you_mean("something else", known) == ""
    assert did_you_mean("x", []) == ""


def test_a_message_is_one_line_and_survives_the_way_between_processes() -> None:
    assert str(QPeftError("document a\nb\r has no text")) == "document a\\nb\\r has no text"
    sent = pickle.loads(pickle.dumps(NonFiniteScoreError("the score of a\nb is NaN", "which\nriver")))
    assert str(sent) == "the score of a\\nb is NaN"
    assert sent.query == "which\nriver"


def test_names_given_in_python_get_one(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q\td\t1\n")
    mistyped: dict[str, Any] = {
        "zscore": lambda: FusionConfig("zscor"),  # type: ignore[arg-type]
        "bfloat16": lambda: ModelConfig(dtype="bfloat"),
        "int8": lambda: ModelConfig(quantize="int-8"),  # type: ignore[arg-type]
        "smollm2-135m-q4": lambda: find_source("smollm2-135-q4"),
        "trec": lambda: formatter("treck"),
        "nDCG": lambda: parse_measures(["NDGC@10"]),
        "test": lambda: BeirFolder(tmp_path).qrels("tset"),
        "retrieval": lambda: AdapterConfig(variant="retreival"),
        "listwise": lambda: LossConfig(loss="list-wise"),
    }
    for meant, call in mistyped.items():
        with pytest.raises(QPeftError, match=f"Did you mean '{meant}'") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["rerenk"], "rerank"),
        (["rerank", "--depht", "5", "--run", "x", "--output", "y"], "--depth"),
        (["rerank", "--run", "x", "--output", "y", "--fusion", "zscor"], "zscore"),
        (["rerank", "--run", "x", "--output", "y", "--output-format", "trek"], "trec"),
        (["rerank", "--run", "x", "--output", "y", "--below-depth", "kep"], "keep"),
        (["train", "--train", "x", "--output", "y", "--filters", "stopword"], "stopwords"),
        (["evaluate", "x", "--qrels", "y", "--output", "table.makrdown"], None),
        (["evaluate", "x", "--qrels", "y", "--output", "table.jsn"], ".json"),
    ],
)
def test_names_given_on_the_command_line_get_one(words: list[str], meant: str | None, capsys: Any) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert ("Did you mean" in error) == (meant is not None)
    assert f"Did you mean '{meant or ''}" in error or meant is None
