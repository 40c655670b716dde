"""`qpeft train` passes its options on, and a mistake is one sentence."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main

PASSAGE = {"title": "", "text": "the Nile runs through Egypt"}
OTHER = {"title": "", "text": "Paris is the capital of France"}


def questions(path: Path, count: int = 4, name: str = "what runs") -> Path:
    records = [
        {"question": f"{name} {n}", "positive_ctxs": [PASSAGE], "hard_negative_ctxs": [OTHER]} for n in range(count)
    ]
    path.write_text(json.dumps(records))
    return path


@pytest.fixture
def arguments(tmp_path: Path, tiny_model_dir: Path) -> list[str]:
    train = questions(tmp_path / "train.json")
    fixed = "--device cpu --dtype float32 --quiet --epochs 1 --batch-queries 2 --negatives 1"
    named = ["--train", str(train), "--model", str(tiny_model_dir), "--output", str(tmp_path / "adapter")]
    return ["train", *named, *fixed.split()]


def test_options_reach_the_adapter(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dev = questions(tmp_path / "dev.json", 2, "who runs")
    options = "--variant attention --num-heads 4 --filters stopwords query --margin 0.5 --hint-position prefix"
    assert main([*arguments, "--dev", str(dev), *options.split()]) == 0
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["variant"], config["num_heads"], config["hint_position"]) == ("attention", 4, "prefix")
    assert config["filters"] == ["stopwords", "query"]
    record = json.loads((tmp_path / "adapter" / "training.json").read_text())
    assert record["settings"]["loss"]["margin"] == 0.5
    error = capsys.readouterr().err
    assert "2 steps in" in error
    assert "dev nDCG@10" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--variant", "magic"], "invalid choice: 'magic'"),
        (["--variant", "lora", "--lora"], "variant lora is a LoRA already"),
        (["--loss", "margin-mse"], "needs a teacher"),
        (["--patience", "2"], "patience needs dev examples"),
        (["--dev-queries", "2"], "dev_queries needs dev examples: give them with dev."),
        (["--variant", "lora", "--num-hints", "4"], "num_hints is about hints or prompt, and variant lora"),
        (["--lora-rank", "4"], "lora_rank is about a LoRA: choose variant lora, or give lora too."),
        (["--seed", "-1"], "seed must not be negative, and is -1."),
        (["--in-batch", "3"], "batch_queries (2) must be a multiple of in_batch (3)"),
        (["--batch-queries", "64"], "4 training queries are fewer than one step takes"),
        (["--filters", "vowels"], "invalid choice: 'vowels'"),
        (["--hint-settings", "skip"], "'skip' is not NAME=VALUE"),
        (["--hint-settings", "skip=1"], "the variant retrieval has no setting 'skip' of its own"),
        (["--learning-rate", "0"], "learning_rate must be above 0"),
        (["--dev", "none.json"], "no such file: none.json"),
        (["--model", "/no/such/model"], "there is no folder '/no/such/model'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    arguments: list[str], options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    assert main([*arguments, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("qpeft: error: ")
    assert message in error
    assert "Traceback" not in error
    assert [place for place in sorted(tmp_path.iterdir()) if place not in before] == []


def test_a_second_run_to_the_same_output_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "adapter").iterdir() if file.is_file()}
    assert main(arguments) == 2
    assert "holds another run's adapter already" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    assert "finished already" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in (tmp_path / "adapter").iterdir() if file.is_file()} == before
