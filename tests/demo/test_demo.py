"""`qpeft demo` from the documentation to the run files."""

from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.models.loading import SHIPPED_ADAPTERS


def test_shows_three_questions_a_table_the_speed_and_where_the_runs_are(
    tmp_path: Path, tiny_model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = ["demo", "--output", str(output), "--questions", "4", "--model", str(tiny_model_dir)]
    assert main(arguments) == 0
    shown, steps = capsys.readouterr()
    assert [line for line in shown.splitlines() if line.startswith("“")] == [
        "“how do I split a path into its extension”",
        "“remove spaces at the beginning and end of a string”",
        "“wait for five seconds”",
    ]
    assert all(len(line) <= 100 for line in shown.splitlines() if not line.startswith("runs:"))
    for stage in ("BM25", "likelihood", "fused"):
        run = read_run(output / "runs" / f"{stage.lower()}.trec")
        assert list(run) == ["q001", "q002", "q003", "q004"]
        assert all(len(hits) == 100 for hits in run.values())
        assert str(output / "runs" / f"{stage.lower()}.trec") in shown
    assert "passages/s" in shown
    assert "Lucene index built" in steps

    assert main([*arguments, "--quiet"]) == 0
    again, steps = capsys.readouterr()
    assert steps == ""
    assert again.split("passages in")[0] == shown.split("passages in")[0]


@pytest.mark.skipif(not (SHIPPED_ADAPTERS / "retrieval").is_dir(), reason="no adapter is shipped yet")
def test_with_the_shipped_adapter_every_passage_shows_its_hints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path / "out"), "--questions", "1", "--quiet"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:12]
    start = len(" 1  ") + 30 + len("   ") + 30 + len("   1  ")
    assert all(row[start:].strip() for row in rows), rows


@pytest.mark.parametrize("questions", ["0", "-3", "many"])
def test_a_number_of_questions_that_is_none_is_a_mistake(
    questions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path / "out"), "--questions", questions]) == 2
    assert "--questions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
