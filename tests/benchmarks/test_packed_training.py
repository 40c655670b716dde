"""The benchmark of packed training measures every kind of adapter."""

import json
from pathlib import Path

import pytest
from tiny import WORDS, save_tiny_model

from benchmarks.packed_training import ADAPTERS, main


def test_every_kind_of_adapter_has_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passages = [{"title": "", "text": " ".join(WORDS[n : n + 4])} for n in range(4)]
    records = [
        {
            "question": f"{WORDS[n]} of France",
            "answers": [],
            "positive_ctxs": [passages[n]],
            "negative_ctxs": [],
            "hard_negative_ctxs": passages[:n] + passages[n + 1 :],
        }
        for n in range(4)
    ]
    (tmp_path / "train.json").write_text(json.dumps(records))
    model = save_tiny_model(tmp_path / "model")
    sizes = ["--queries", "4", "--passages", "4", "--alone-pairs", "4", "--rounds", "1", "--dtype", "float32"]
    assert main(["--train", str(tmp_path / "train.json"), "--model", str(model), *sizes]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == list(ADAPTERS)
    assert all(row.split("|")[2].strip() == "16" for row in rows)
