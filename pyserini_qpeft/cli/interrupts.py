"""The program `qpeft` as a process: if a signal stops it, it says so in one sentence and ends with the right exit code."""

import os
import signal
import sys
from types import FrameType

GRACE_SECONDS = 5.0
"""How long a stopped command may take to remove its unfinished files before the process ends."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_received: list[int] = []


class _Interrupted(KeyboardInterrupt):
    """Raised in the command. CPython ends a process by SIGINT if `exec` has seen a plain KeyboardInterrupt."""


def program() -> int:
    """Runs the command line of this process. The scripts `qpeft` and `python -m pyserini_qpeft` call it.

    Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt in the command, which then removes its unfinished files. The
    process ends at once if a second signal comes, and after `GRACE_SECONDS` if the command does not end, for example
    because a search in Java takes longer. Signals that the parent process ignores (nohup) stay ignored.

    Returns:
        The exit code of the command; 128 plus the number of the signal if one stopped it: 130 for Ctrl-C.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        _watch()
        from pyserini_qpeft.cli.__main__ import main

        code = main()
    except BaseException:
        # Libraries turn the interruption into errors of their own, so any error after a signal counts as one.
        if not _received:
            raise
        code = 0
    for number in _SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, _leave)  # Python's own cleaning at the exit must not be interrupted by exceptions
    if not _received:
        return code
    _say()
    return 128 + _received[0]


def stopped() -> bool:
    """Whether a signal is stopping this process. `program` then prints the sentence, and nothing else should."""
    return bool(_received)


def _stop(number: int, frame: FrameType | None) -> None:
    if _received:
        _leave(number)
    _received.append(number)
    sys.unraisablehook = lambda _: None  # an interruption inside of a finalizer is no error to show
    raise _Interrupted


def _leave(number: int, frame: FrameType | None = None) -> None:
    _say()
    os._exit(128 + number)


def _say() -> None:
    """Writes past Python's streams, which may be in use by the code that was interrupted."""
    os.write(2, b"qpeft: interrupted\n")


def _watch() -> None:
    """Starts a thread that ends the process if the main thread does not, because other code keeps it busy."""
    import select
    import threading

    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)

    def wait() -> None:
        while number := int.from_bytes(os.read(receiver, 1)):
            # A web server may have put its own handler in place; then the signal is not ours.
            if number in _SIGNALS and signal.getsignal(number) is _stop:
                break
        else:
            return
        ready, _, _ = select.select([receiver], [], [], GRACE_SECONDS)
        _leave(number if not ready else os.read(receiver, 1)[0])

    threading.Thread(target=wait, name="qpeft-signals", daemon=True).start()
