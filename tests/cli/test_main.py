import contextlib
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from pyserini_qpeft import __version__
from pyserini_qpeft.cli.__main__ import commands

PROGRAM = [sys.executable, "-m", "pyserini_qpeft"]


def test_help_lists_every_command_within_the_time_of_a_glance():
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert {"index", "search", "rerank", "explain"} <= {line.split(" ")[2] for line in _command_lines(done.stdout)}
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, and the best of three: what else the machine does is not the program's.
    assert min(seconds() for _ in range(3)) < 0.7


def _command_lines(text: str) -> list[str]:
    return [line for line in text.partition("commands:\n")[2].splitlines() if line.startswith("  ")]


def test_help_of_a_command_is_its_own(qpeft):
    done = qpeft("rerank", "--help")
    assert done.code == 0
    assert "--below-depth" in done.out


def test_agents_are_not_offered_what_only_the_page_has(qpeft):
    assert "--examples" in qpeft("serve", "--help").out
    assert "--examples" not in qpeft("mcp", "--help").out


def test_every_command_says_what_it_does():
    for name, module in commands():
        assert module.__name__ == f"pyserini_qpeft.cli.{name}"
        assert module.HELP
        assert callable(module.add_arguments)
        assert callable(module.run)


def test_reading_the_help_of_all_commands_loads_nothing_slow():
    program = (
        "import sys\nfrom pyserini_qpeft.cli.__main__ import commands\ncommands()\n"
        "print(sorted({'torch', 'transformers', 'pyserini', 'jnius', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_version(qpeft):
    assert qpeft("--version").out.strip() == f"pyserini-qpeft {__version__}"


def test_no_command_at_all_shows_the_overview(qpeft):
    done = qpeft()
    assert done.code == 0
    assert "qpeft COMMAND" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["polish"], "there is no command 'polish'"),
        (["options"], "there is no command 'options'"),
        (["../index"], "there is no command '../index'"),
        (["index", "--corpus", "x"], "the following arguments are required: --index (see qpeft index --help)."),
        (["index", "--corpus", "x", "--index", "y", "--fast"], "unknown arguments: --fast"),
        (["rerank", "--run", "x", "--output", "y", "--depth", "few"], "argument --depth: invalid int value: 'few'"),
        (["rerank", "--run", "x", "--output", "y", "--depth", "-1"], "depth must not be negative"),
        (["rerank", "--run", "x", "--output", "y", "--fusion", "soup"], "argument --fusion: invalid choice: 'soup'"),
        (["rerank", "--run", "x", "--output", "y", "--fusion", "--fusion-weight", "2"], "between 0 and 1"),
        (["rerank", "--run", "x", "--output", "y", "--fusion", "none", "--fusion-weight", "0.5"], "without fusion"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(error_of, arguments, sentence):
    assert sentence in error_of(*arguments)


def test_interrupting_is_quiet(tmp_path):
    pipe = tmp_path / "run"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*PROGRAM, "rerank", "--run", str(pipe), "--topics", "t", "--output", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore interrupts, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    writing = None
    while writing is None and process.poll() is None:
        time.sleep(0.01)
        with contextlib.suppress(OSError):  # until the program has come to read
            writing = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    assert writing is not None
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        # An interrupt just before the program blocks in a read is noticed at the next one only.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            break
    err = process.stderr.read()
    process.stderr.close()
    os.close(writing)
    assert (process.returncode, err) == (130, "qpeft: interrupted\n")


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # argparse itself swallows the error of a direct write
    done = subprocess.run([*PROGRAM, "--version"], stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
