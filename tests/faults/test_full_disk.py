"""Wherever the disk is full, a command ends with one sentence, older files stay, and the next start goes on.

The limit of the process on the size of a file (`ulimit -f`) stands for the full disk: a write beyond it fails.
"""

import multiprocessing
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import JOBS, Job, contents, difference, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The inputs of the kill harness."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QPEFT_CACHE", str(folder / "cache"))
        yield folder


def _command(arguments: list[str], output: int, largest: int | None) -> None:
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)  # pytest has put files in their place
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    from pyserini_qpeft.cli.__main__ import main

    os._exit(main(arguments))


def run(job: Job, inputs: Path, outputs: Path, largest: int | None = None) -> tuple[int, str]:
    """Runs a job in a fork whose files cannot grow beyond `largest` bytes; returns its exit code and what it says."""
    words = [*job.arguments.split(), *(job.again.split() if any(outputs.iterdir()) else ())]
    arguments = [word.format(**{"in": inputs, "out": outputs}) for word in words]
    reading, writing = os.pipe()  # the limit does not hold for pipes
    process = multiprocessing.get_context("fork").Process(target=_command, args=(arguments, writing, largest))
    process.start()
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as said:
        text = said.read()
    process.join()
    return int(process.exitcode or 0), text


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
@pytest.mark.parametrize("name", ["rerank, TREC", "rerank, gzipped", "mine", "train"])
def test_a_full_disk_is_one_sentence_and_the_next_start_goes_on(name: str, share: float, inputs: Path, tmp_path: Path):
    (job,) = (one for one in JOBS if one.name == name)
    whole, outputs = inputs / "whole" / name, tmp_path / "out"
    outputs.mkdir()
    if not whole.exists():
        whole.mkdir(parents=True)
        assert run(job, inputs, whole)[0] == 0
    expected = contents(whole)
    largest = max(len(content) for content in expected.values())
    code, said = run(job, inputs, outputs, int(share * largest))
    errors = [line for line in said.splitlines() if line.startswith("qpeft: error: ")]
    if code:  # otherwise everything fitted: a compressed draft is smaller than its parts
        assert code == 2
        assert len(errors) == 1
        assert "cannot write" in errors[0]
        assert "File too large" in errors[0] or "os error 27" in errors[0]
        assert "Traceback" not in said
    assert not [name for name in contents(outputs) if name.startswith(".")]
    code, said = (0, "") if contents(outputs) == expected else run(job, inputs, outputs)
    assert code == 0, said
    assert difference(job, expected, contents(outputs)) == ""


def test_an_older_output_stays_if_the_disk_is_full(inputs: Path, tmp_path: Path):
    (tmp_path / "run.txt").write_text("the output of yesterday")
    code, said = run(JOBS[0], inputs, tmp_path, 300)
    assert code == 2, said
    assert (tmp_path / "run.txt").read_text() == "the output of yesterday"
