"""While a job writes an output, a second one is refused, and the first one ends as if nobody had disturbed it."""

import os
import signal
from pathlib import Path

import pytest
from forks import Fork, command, run
from jobs import JOBS
from kills import contents, difference

BY_NAME = {job.name: job for job in JOBS}


def _stop_at(owner: object, name: str) -> None:
    """Stops the process once, when a function is called."""
    function = getattr(owner, name)

    def stopping(*args, **options):
        setattr(owner, name, function)
        os.kill(os.getpid(), signal.SIGSTOP)
        return function(*args, **options)

    setattr(owner, name, stopping)


def _stop_while_reranking() -> None:
    from pyserini_qpeft.reranking.resume import ResumableWriter

    _stop_at(ResumableWriter, "write")


def _stop_while_mining() -> None:
    from pyserini_qpeft.data import dpr

    _stop_at(dpr, "_record")


def _stop_while_training() -> None:
    from pyserini_qpeft.training import run

    _stop_at(run, "_train")


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("rerank, TREC", _stop_while_reranking),
        ("rerank, gzipped", _stop_while_reranking),
        ("mine", _stop_while_mining),
        ("train", _stop_while_training),
        ("experiment", _stop_while_reranking),
    ],
)
def test_the_second_is_refused_and_the_first_is_whole(name: str, stop, inputs: Path, tmp_path: Path, expected):
    job = BY_NAME[name]
    arguments = command(job, inputs, tmp_path)
    whole = expected(name)
    first = Fork(arguments, stop)
    first.wait_until_stopped()
    try:
        refused, sentence = run(arguments)
    finally:
        os.kill(first.pid, signal.SIGCONT)
        code, said = first.end()
    assert refused == 2
    assert "Traceback" not in sentence
    assert "another process is " in sentence
    assert "wait for it, or choose another" in sentence
    assert code == 0, said
    undisturbed = str(inputs / "whole" / name).encode()  # tables have the commands, with the names of files
    found = {file: content.replace(str(tmp_path).encode(), undisturbed) for file, content in contents(tmp_path).items()}
    assert difference(job, whole, found) == ""
