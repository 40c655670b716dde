"""A signal ends the program with one sentence and the exit code that shells expect, whatever the program is doing."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

SENTENCE = "qpeft: interrupted\n"


PROGRAM = """
import hashlib, signal, sys, time
ignored = {ignored!r}.split()
for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the tests may run in a shell's background, where SIGINT is ignored
    signal.signal(getattr(signal, name), signal.SIG_IGN if name in ignored else signal.SIG_DFL)
from pyserini_qpeft.cli import interrupts
interrupts.GRACE_SECONDS = {grace}
def command():
    print("ready", flush=True)
{command}
    return 0
sys.exit(interrupts.run_interruptible(command))
"""


def start(command: str, grace: float = 60.0, ignored: str = "") -> subprocess.Popen[str]:
    """A process that runs `command` as the program runs its commands; it has begun when this returns."""
    lines = textwrap.indent(textwrap.dedent(command), " " * 4)
    code = PROGRAM.format(ignored=ignored, grace=grace, command=lines)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def stopped_by(process: subprocess.Popen[str], *signals: signal.Signals) -> tuple[int, str, str]:
    """Exit code and both streams after the signals."""
    for one in signals:
        process.send_signal(one)
        time.sleep(0.1)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "command",
    [
        "time.sleep(60)",
        "while True: pass",
        "try: time.sleep(60)\nexcept BaseException: raise ImportError('a library says so')",
        "from pyserini_qpeft.errors import QPeftError\ntry: time.sleep(60)\n"
        "except BaseException: raise QPeftError('the model cannot be loaded')",
        "class Closes:\n    def __del__(self): time.sleep(60)\nClosing = Closes()\ndel Closing\ntime.sleep(60)",
        "exec('time.sleep(60)')",
    ],
    ids=["waits", "computes", "a library's error", "the program's error", "a finalizer", "exec"],
)
def test_a_signal_ends_with_one_sentence(name: str, command: str) -> None:
    number = getattr(signal, name)
    grace = 0.5 if "__del__" in command else 60.0  # a finalizer drops the exception, and the command goes on
    assert stopped_by(start(command, grace), number) == (128 + number, "", SENTENCE)


def test_unfinished_files_are_removed_before_the_end(tmp_path) -> None:
    command = f"""
        from pyserini_qpeft.data.files import atomic_write
        with atomic_write({str(tmp_path / "run.txt")!r}) as file:
            print("ready", flush=True)
            time.sleep(60)
    """
    process = start(command)
    process.stdout.readline()
    assert list(tmp_path.iterdir())
    assert stopped_by(process, signal.SIGTERM)[0] == 143
    assert list(tmp_path.iterdir()) == []


BUSY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2 * 10**9)"  # takes minutes, and no exception gets in


def test_a_command_that_is_busy_outside_of_python_ends_after_the_grace() -> None:
    process = start(BUSY, grace=0.5)
    time.sleep(1)  # a signal before the call begins would end the process at once
    begin = time.monotonic()
    assert stopped_by(process, signal.SIGINT) == (130, "", SENTENCE)
    assert time.monotonic() - begin > 0.5


def test_a_second_signal_ends_at_once() -> None:
    assert stopped_by(start(BUSY), signal.SIGINT, signal.SIGINT) == (130, "", SENTENCE)


def test_the_sentence_is_shown_while_a_starting_jvm_has_standard_error() -> None:
    command = """
        from pyserini_qpeft.lucene.jvm import _stderr_held_back
        with _stderr_held_back():
            print("ready", flush=True)
            time.sleep(60)
    """
    process = start(command)
    process.stdout.readline()
    assert stopped_by(process, signal.SIGINT) == (130, "", SENTENCE)


def test_an_ignored_signal_stays_ignored() -> None:
    process = start("time.sleep(1)", ignored="SIGHUP SIGINT")
    assert stopped_by(process, signal.SIGHUP, signal.SIGINT) == (0, "", "")


def test_an_error_without_a_signal_is_shown_whole() -> None:
    code, _, err = stopped_by(start("raise ZeroDivisionError"))
    assert code == 1
    assert "ZeroDivisionError" in err


def test_the_jvm_leaves_signals_to_python() -> None:
    command = """
        from pyserini_qpeft.lucene.jvm import start_jvm
        start_jvm()
        print("ready", flush=True)
        time.sleep(60)
    """
    process = start(command)
    process.stdout.readline()
    assert stopped_by(process, signal.SIGTERM) == (143, "", SENTENCE)
