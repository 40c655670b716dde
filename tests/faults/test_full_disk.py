"""Wherever the disk is full, a command ends with one sentence, older files stay, and the next start goes on."""

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from forks import command, run, the_sentence
from jobs import JOBS, Job
from kills import contents, difference

BY_NAME = {job.name: job for job in JOBS}
REASONS = ("File too large", "No space left on device", "os error 27", "os error 28", "is the disk full?")
Expected = Callable[[str], dict[str, bytes]]


def check(job: Job, inputs: Path, outputs: Path, expected: dict[str, bytes], done: tuple[int, str]) -> None:
    """A command that found no room has said so, and has left nothing but what the next start goes on with."""
    if done[0]:  # otherwise everything fitted: a compressed draft is smaller than its parts
        sentence = the_sentence(*done)
        assert "cannot write" in sentence
        assert any(reason in sentence for reason in REASONS), sentence
    assert not [name for name in contents(outputs) if name.startswith(".")]
    if contents(outputs) != expected:
        code, said = run(command(job, inputs, outputs))
        assert code == 0, said
    assert difference(job, expected, contents(outputs)) == ""


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
@pytest.mark.parametrize("name", ["rerank, TREC", "rerank, gzipped", "mine", "train"])
def test_a_limit_on_the_size_of_files(name: str, share: float, inputs: Path, tmp_path: Path, expected: Expected):
    job, outputs = BY_NAME[name], tmp_path / "out"
    outputs.mkdir()
    largest = int(share * max(len(content) for content in expected(name).values()))
    done = run(command(job, inputs, outputs), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)))
    check(job, inputs, outputs, expected(name), done)


@pytest.mark.parametrize("room", [{"size": f"{kib}k"} for kib in (4, 8, 12, 16, 24)] + [{"nr_inodes": 2}])
@pytest.mark.parametrize("name", ["rerank, TREC", "rerank, JSON", "mine"])
def test_a_disk_with_little_room(name: str, room: dict[str, object], inputs: Path, disk, expected: Expected):
    job, outputs = BY_NAME[name], disk(**room)
    done = run(command(job, inputs, outputs))
    larger(outputs)
    check(job, inputs, outputs, expected(name), done)


@pytest.mark.parametrize("kib", [40, 80, 120, 200])
def test_a_disk_that_is_full_during_training(kib: int, inputs: Path, disk, expected: Expected):
    outputs = disk(size=f"{kib}k")
    done = run(command(BY_NAME["train"], inputs, outputs))
    larger(outputs)
    check(BY_NAME["train"], inputs, outputs, expected("train"), done)


def larger(disk: Path) -> None:
    """Makes room on a small disk."""
    subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=10000", disk], check=True)


def test_an_older_output_stays(inputs: Path, tmp_path: Path):
    (tmp_path / "run.txt").write_text("the output of yesterday")
    arguments = command(BY_NAME["rerank, TREC"], inputs, tmp_path)
    the_sentence(*run(arguments, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))))
    assert (tmp_path / "run.txt").read_text() == "the output of yesterday"


@pytest.mark.parametrize("kib", [4, 64, 256])
def test_a_cache_without_room_for_the_database_of_a_corpus(kib: int, inputs: Path, disk, tmp_path: Path, monkeypatch):
    from pyserini_qpeft.cli import texts

    monkeypatch.setenv("QPEFT_CACHE", str(disk(size=f"{kib}k")))
    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text((inputs / "corpus.jsonl").read_text() + f'{{"_id": "long", "text": "{"river " * 100_000}"}}\n')
    arguments = command(BY_NAME["rerank, TREC"], inputs, tmp_path)
    arguments[arguments.index("--corpus") + 1] = str(corpus)
    sentence = the_sentence(*run(arguments))
    assert "passages.sqlite" in sentence or "the cache" in sentence
    assert "full" in sentence or "No space left" in sentence
    assert [file for file in Path(tmp_path / "disk").rglob("*") if file.suffix in (".sqlite", ".partial")] == []
