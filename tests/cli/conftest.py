import gzip
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main

PASSAGES = {
    "river": ("The Nile", "The Nile is the longest river of Africa and flows through Egypt."),
    "city": ("Paris", "Paris is the capital of France, on the river Seine."),
    "priest": ("Aaron", "Aaron is a prophet, high priest and the brother of Moses."),
    "song": ("", "Linda Davis sings does he love you with Reba."),
    "7": ("Seven \U0001f600", "Rome, the capital of Italy, was built on seven hills by a river."),
    "blank": ("", ""),
}
QUERIES = {
    "q1": "which river flows through the capital",
    "2": "who is the brother of Moses",
    "q3": "zebra",
    "q4": "the capital of France",
}


@dataclass
class Done:
    """The exit code of a command, and what it wrote to both streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def qpeft(capfd) -> Callable[..., Done]:
    """Runs the command line in this process, where the JVM and torch are loaded once."""

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        sys.stdout.flush()
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture
def error_of(qpeft) -> Callable[..., str]:
    """Runs a command that must fail; returns its error, which is one sentence."""

    def run(*arguments: object) -> str:
        done = qpeft(*arguments)
        last = done.err.strip().splitlines()
        assert (done.code, done.out) == (2, ""), done
        assert [line for line in last if line.startswith("qpeft: error: ")] == last[-1:], done.err
        assert "Traceback" not in done.err
        return last[-1].removeprefix("qpeft: error: ")

    return run


@pytest.fixture(scope="session")
def beir(tmp_path_factory) -> Path:
    """A small collection in the BEIR layout."""
    folder = tmp_path_factory.mktemp("beir")
    documents = [{"_id": docid, "title": title, "text": text} for docid, (title, text) in PASSAGES.items()]
    queries = [{"_id": qid, "text": text, "metadata": {}} for qid, text in QUERIES.items()]
    for name, records in (("corpus", documents), ("queries", queries)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


@pytest.fixture(scope="session")
def index(beir, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "beir"
    assert main(["index", "--corpus", str(beir), "--index", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def run_file(beir, index, tmp_path_factory) -> Path:
    """The first stage's run over the small collection."""
    file = tmp_path_factory.mktemp("runs") / "bm25.txt"
    topics = str(beir / "queries.jsonl.gz")
    arguments = ["--index", str(index), "--topics", topics, "--output", str(file), "--first-stage-only", "--quiet"]
    assert main(["search", *arguments]) == 0
    return file


@pytest.fixture(scope="session")
def model(tiny_model_dir) -> Sequence[str]:
    """Options that name the tiny model, in the precision that gives the same scores everywhere."""
    return ("--model", str(tiny_model_dir), "--dtype", "float32", "--device", "cpu")


@pytest.fixture(scope="session")
def lists() -> Callable[[Path], dict[str, list[tuple[str, float]]]]:
    """Reads a TREC run as plain lists, without the package; ranks must count from 1."""

    def read(file: Path) -> dict[str, list[tuple[str, float]]]:
        found: dict[str, list[tuple[str, float]]] = {}
        for line in file.read_text().splitlines():
            qid, _, docid, rank, score, _ = line.split(" ")
            found.setdefault(qid, []).append((docid, float(score)))
            assert int(rank) == len(found[qid])
        return found

    return read


@pytest.fixture(scope="session")
def scores(lists) -> Callable[[Path], dict[tuple[str, str], float]]:
    """Reads the score of each query and document of a TREC run: what two loadings of a model agree on, but for rounding."""

    def read(file: Path) -> dict[tuple[str, str], float]:
        return {(qid, docid): score for qid, hits in lists(file).items() for docid, score in hits}

    return read


@pytest.fixture
def arguments(run_file, beir, model, tmp_path):
    """The usual options of `qpeft rerank`; keywords replace some of them, and None leaves an option out."""

    def build(**changes: object) -> list[object]:
        options: dict[str, object] = {
            "--run": run_file,
            "--topics": beir / "queries.jsonl.gz",
            "--corpus": beir,
            "--output": tmp_path / "out" / "run",
            "--fusion": "none",
        }
        (tmp_path / "out").mkdir(exist_ok=True)
        options |= dict(zip(model[::2], model[1::2], strict=True))
        options |= {"--" + name.replace("_", "-"): value for name, value in changes.items()}
        return ["rerank", "--quiet", *(part for pair in options.items() if pair[1] is not None for part in pair)]

    return build


@pytest.fixture
def written(tmp_path) -> Path:
    """The output of `arguments`."""
    return tmp_path / "out" / "run"
