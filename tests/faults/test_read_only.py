"""A folder that cannot be written to is one sentence with its name, before or after the work; nothing is left in it."""

from pathlib import Path

import pytest
from forks import command, run, the_sentence
from jobs import JOBS

BY_NAME = {job.name: job for job in JOBS}


@pytest.mark.parametrize("name", ["rerank, TREC", "mine", "train", "experiment"])
def test_the_folder_of_the_output(name: str, inputs: Path, read_only_folder):
    folder = read_only_folder()
    sentence = the_sentence(*run(command(BY_NAME[name], inputs, folder)))
    assert str(folder) in sentence
    assert "Read-only file system" in sentence or "Permission denied" in sentence
    assert list(folder.iterdir()) == []


def test_the_cache(inputs: Path, read_only_folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from pyserini_qpeft.cli import texts

    monkeypatch.setenv("QPEFT_CACHE", str(read_only_folder()))
    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)
    sentence = the_sentence(*run(command(BY_NAME["rerank, TREC"], inputs, tmp_path)))
    assert "cannot write to the cache" in sentence
    assert "set QPEFT_CACHE" in sentence


def test_a_cache_that_is_complete_may_be_read_only(
    inputs: Path, read_only_folder, tmp_path: Path, monkeypatch, expected
):
    from pyserini_qpeft.cli import texts

    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)

    def fill(folder: Path) -> None:
        monkeypatch.setenv("QPEFT_CACHE", str(folder))
        before = tmp_path / "before"
        before.mkdir()
        assert run(command(BY_NAME["rerank, TREC"], inputs, before))[0] == 0

    read_only_folder(fill)
    (tmp_path / "after").mkdir()
    code, said = run(command(BY_NAME["rerank, TREC"], inputs, tmp_path / "after"))
    assert code == 0, said
    assert (tmp_path / "after" / "run.txt").read_bytes() == expected("rerank, TREC")["run.txt"]
