"""No command writes over what it reads."""

import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import commands

WRITES_NOTHING_OVER = {"cache", "completion", "explain", "demo", "mcp", "models", "serve"}
"""Commands that write nothing, or only into a folder of their own."""

COMMANDS = {
    "rerank": "--run run.txt --topics topics.tsv --corpus corpus.jsonl --config tuned.json --model model "
    "--adaptive stopping.json --calibration calibration.json --output {}",
    "search": "--index index --topics topics.tsv --corpus corpus.jsonl --qpeft.config tuned.json "
    "--qpeft.cascade stages.json --output {}",
    "tune": "--run run.txt --first-stage first.txt --qrels qrels.txt --output {}",
    "evaluate": "run.txt named=first.txt --qrels qrels.txt --answers topics.tsv --corpus corpus.jsonl --output {}",
    "mine": "--collection beir --run run.txt --output {}",
    "train": "--train train.json --dev dev.json --output {}",
    "index": "--corpus corpus.jsonl --index {} --overwrite",
}
OUTPUTS = {"evaluate": ".md", "tune": ".json"}


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of all the names that the commands read; none of them has to be in order."""
    monkeypatch.chdir(tmp_path)
    for name in ("run.txt", "first.txt", "topics.tsv", "corpus.jsonl", "tuned.json", "qrels.txt", "train.json",
                 "stopping.json", "calibration.json", "stages.json", "dev.json", "model/config.json", "index/segments_1", "beir/corpus.jsonl", "beir/qrels/train.tsv"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(f"what {name} holds\n")
    return tmp_path


def read_by(name: str, folder: Path) -> list[Path]:
    words = COMMANDS[name].replace("named=", "").split()
    named = [folder / word for word in words if (folder / word).exists()]
    return [file for path in named for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_every_verb_that_writes_says_what_it_writes() -> None:
    names = {name for name, _ in commands()}
    writing = {name for name in names if hasattr(import_module(f"pyserini_qpeft.cli.{name}"), "outputs")}
    assert writing == names - WRITES_NOTHING_OVER == {*COMMANDS, "experiment"}


@pytest.mark.parametrize("way", ["itself", "symbolic link", "hard link", "another spelling", "partial"])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "index"])
def test_an_output_that_is_an_input_is_refused_and_the_input_stays(error_of, inputs: Path, name: str, way: str) -> None:
    before = contents(inputs)
    for number, file in enumerate(read_by(name, inputs)):
        output = inputs / f"output{number}{OUTPUTS.get(name, '')}"
        match way:
            case "itself":
                output = file
            case "symbolic link":
                output.symlink_to(file)
            case "hard link":
                os.link(file, output)
            case "another spelling":
                output = inputs / "beir" / ".." / file.relative_to(inputs)
            case "partial":
                os.link(file, f"{output}.partial")
        sentence = error_of(name, *COMMANDS[name].format(output).split())
        assert sentence.startswith(f"cannot write {output}: it would replace "), (file, sentence)
        for left in (output, Path(f"{output}.partial")):
            if left.name.startswith("output"):
                left.unlink(missing_ok=True)
        assert contents(inputs) == before


def test_an_index_is_not_replaced_that_holds_its_own_corpus(error_of, inputs: Path) -> None:
    corpus = shutil.copy(inputs / "corpus.jsonl", inputs / "index" / "corpus.jsonl")
    before = contents(inputs)
    for place in (inputs / "index", inputs):
        sentence = error_of("index", "--corpus", corpus, "--index", place, "--overwrite")
        assert sentence.startswith(f"cannot write {place}: it would replace {corpus}")
    assert contents(inputs) == before


@pytest.mark.parametrize("name", ["table.md", "report.html", "expected.yaml"])
def test_an_experiment_is_not_replaced_by_what_comes_of_it(error_of, inputs: Path, name: str) -> None:
    file = inputs / name
    file.write_text("name: an experiment\n")
    assert "it would replace" in error_of("experiment", file, "--output", inputs)
    assert file.read_text() == "name: an experiment\n"


def test_a_plot_does_not_replace_an_input(error_of, inputs: Path) -> None:
    (inputs / "plots").mkdir()
    os.link(inputs / "run.txt", inputs / "plots" / "depth.png")
    for name in ("tune", "evaluate"):
        command = COMMANDS[name].format(f"new{OUTPUTS[name]}")
        assert "it would replace run.txt" in error_of(name, *command.split(), "--plots", "plots")


def test_a_tag_or_a_query_that_happens_to_be_a_files_name_is_no_input(error_of, inputs: Path) -> None:
    (inputs / "out").write_text("an earlier run\n")
    sentence = error_of("rerank", *COMMANDS["rerank"].format("out").split(), "--tag", "out")
    assert "it would replace" not in sentence


def test_the_rule_that_comes_with_the_model_is_no_input(error_of, inputs: Path) -> None:
    words = "--run run.txt --topics topics.tsv --corpus corpus.jsonl --adaptive --output out.txt"
    assert not error_of("rerank", *words.split()).startswith("cannot write")


def test_a_run_reranked_into_its_own_place_would_have_been_lost(
    error_of, beir, run_file, model, tmp_path: Path
) -> None:
    run = Path(shutil.copy(run_file, tmp_path / "run.txt"))
    options = ["--run", run, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, *model, "--quiet"]
    assert "it would replace" in error_of("rerank", *options, "--output", run)
    assert run.read_bytes() == run_file.read_bytes()
    assert json.dumps([file.name for file in tmp_path.iterdir()]) == '["run.txt"]'
