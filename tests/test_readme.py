"""What the README shows can be typed as it stands."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pyserini_qpeft.lucene import build_index

README = (Path(__file__).parents[1] / "README.md").read_text()
DOCUMENTS = {
    "4983": "Vitamin D supplements protect against acute infections of the airways.",
    "2": "Statins lower the cholesterol of patients.",
    "3": "Vitamin C does not shorten a cold, whatever people believe.",
}
QUERY = "vitamin d protects against infections"


def block(heading: str) -> str:
    """The indented lines under a heading."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the collection that the README speaks of, in small."""
    (tmp_path / "scifact" / "qrels").mkdir(parents=True)
    (tmp_path / "indexes").mkdir()
    documents = [{"_id": docid, "title": "", "text": text} for docid, text in DOCUMENTS.items()]
    (tmp_path / "scifact" / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    (tmp_path / "scifact" / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": QUERY}) + "\n")
    (tmp_path / "scifact" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t4983\t1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python(folder: Path) -> None:
    build_index(folder / "scifact", folder / "indexes" / "scifact")
    # In a process of its own, where nothing has found Java yet.
    program = block("In Python") + "\nprint(*(hit.docid for hit in hits))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *printed, last = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in printed] == ["1", "2"]
    assert [line[1] for line in printed] == last
    assert set(last) == {"4983", "3"}


def test_the_shell(folder: Path) -> None:
    commands = [shlex.split(line, comments=True) for line in block("In the shell").splitlines()]
    assert len(commands) == 10
    assert {program for program, *_ in commands} == {"qpeft"}
    done = subprocess.run([sys.executable, "-c", _EACH], input=json.dumps(commands), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "run.fused.txt").read_text() == (folder / "run.qpeft.txt").read_text()


# In one process of its own, for Java stays in the folder in which it was started.
_EACH = """
import json, sys
from pyserini_qpeft.cli.__main__ import main
for program, *arguments in json.load(sys.stdin):
    try:
        code = main(arguments)
    except SystemExit as stop:  # --help
        code = stop.code
    assert not code, arguments
"""


def test_the_two_commands_are_rules_of_the_makefile() -> None:
    rules = (Path(__file__).parents[1] / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", block("Two commands"), re.MULTILINE):
        assert re.search(rf"^{command}:", rules, re.MULTILINE)
