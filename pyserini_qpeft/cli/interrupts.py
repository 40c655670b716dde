"""How a signal stops the program: with one sentence and the right exit code."""

import os
import signal
import sys
from _thread import allocate_lock
from collections.abc import Callable
from types import FrameType

GRACE_SECONDS = 5.0
"""How long a stopped command may take to remove its unfinished files before the process ends."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_received: list[int] = []
_unsaid = allocate_lock()


class _Interrupted(KeyboardInterrupt):
    """Raised in the command. CPython ends a process by SIGINT if `exec` has seen a plain KeyboardInterrupt."""


def run_interruptible(command: Callable[[], int]) -> int:
    """Runs the command of this process so that signals end it in an orderly way.

    Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt in the command, which then removes its unfinished files. The
    process ends at once if a second signal comes, and after `GRACE_SECONDS` if the command does not end, for example
    because a search in Java takes longer. Signals that the parent process ignores (nohup) stay ignored.

    Args:
        command: Runs in the main thread and returns an exit code.

    Returns:
        The exit code of the command; 128 plus the number of the signal if one stopped it: 130 for Ctrl-C.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    terminal = os.dup(2)  # file descriptor 2 is sent elsewhere for a moment when Java starts
    try:
        _watch(terminal)
        code = command()
    except BaseException:
        # Libraries turn the interruption into errors of their own, so any error after a signal counts as one.
        if not _received:
            raise
        code = 0
    if _received:
        _say(terminal)
        return 128 + _received[0]
    for number in _SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_IGN)  # all is written, and Python ends by itself
    return code


def stopped() -> bool:
    """Whether a signal is stopping this process; then nothing but the sentence of `run_interruptible` is printed."""
    return bool(_received)


def _stop(number: int, frame: FrameType | None) -> None:
    if not _received:
        _received.append(number)
        sys.unraisablehook = lambda _: None  # an interruption inside of a finalizer is no error to show
        raise _Interrupted


def _say(terminal: int) -> None:
    if _unsaid.acquire(blocking=False):
        os.write(terminal, b"qpeft: interrupted\n")


def _watch(terminal: int) -> None:
    """Starts a thread that prints the sentence at the first signal, and ends the process if the command does not end.

    Only the main thread runs Python's signal handlers, and it may be busy in Java or torch for minutes.

    Args:
        terminal: File descriptor that the sentence is written to.
    """
    import select
    import threading

    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)

    def wait() -> None:
        number = 0
        # A web server may have put its own handler in place; then the signal is not ours.
        while number not in _SIGNALS or signal.getsignal(number) is not _stop:
            number = os.read(receiver, 1)[0]
        _say(terminal)
        select.select([receiver], [], [], GRACE_SECONDS)  # or until a second signal
        os._exit(128 + number)

    threading.Thread(target=wait, name="qpeft-signals", daemon=True).start()
