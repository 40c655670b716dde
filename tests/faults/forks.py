"""Runs the jobs of the kill harness in forks of this process, which can be prepared to fail in a certain way."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path

from jobs import Job

Prepare = Callable[[], None]
"""Changes the process of a job before the job starts."""


def command(job: Job, inputs: Path, outputs: Path) -> list[str]:
    """The command line of a job; it goes on if there are files in the folder of outputs."""
    words = [*job.arguments.split(), *(job.again.split() if any(outputs.iterdir()) else ())]
    folders = {"in": inputs, "out": outputs, "cache": os.environ.get("QPEFT_CACHE", "")}
    return [word.format(**folders) for word in words]


class Fork:
    """A command that runs in a fork of this process.

    Args:
        arguments: The command line.
        prepare: Is called in the fork before the command.
    """

    def __init__(self, arguments: list[str], prepare: Prepare | None = None) -> None:
        self._said, writing = os.pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_run, args=(arguments, writing, prepare))
        self._process.start()
        os.close(writing)
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait_until_stopped(self) -> None:
        """Waits until the command has stopped itself with SIGSTOP."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the command has ended"

    def end(self) -> tuple[int, str]:
        """Waits until the command has ended; its exit code (negative: a signal ended it), and what it says."""
        with open(self._said, encoding="utf-8", errors="replace") as said:
            text = said.read()
        self._process.join()
        return int(self._process.exitcode or 0), text


def run(arguments: list[str], prepare: Prepare | None = None) -> tuple[int, str]:
    """Runs a command in a fork and waits for its end, as `Fork`."""
    return Fork(arguments, prepare).end()


def _run(arguments: list[str], output: int, prepare: Prepare | None) -> None:
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)  # pytest has put files in their place
    if prepare is not None:
        prepare()
    from pyserini_qpeft.cli.__main__ import main

    code = main(arguments)
    sys.stderr.flush()
    os._exit(code)


def the_sentence(code: int, said: str) -> str:
    """The one sentence with which a command has ended."""
    assert code == 2, (code, said)
    assert "Traceback" not in said, said
    errors = [line for line in said.splitlines() if line.startswith("qpeft: error: ")]
    assert len(errors) == 1, said
    return errors[0].removeprefix("qpeft: error: ")
