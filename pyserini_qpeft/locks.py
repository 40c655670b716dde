"""Locks between processes, on every operating system. A lock is a file beside what it guards."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


@contextmanager
def locked(file: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds a lock during a block.

    Args:
        file: The lock file. It is removed at the end; a killed process leaves it, which does no harm.
        wait: Whether to wait until nobody else holds the lock.

    Raises:
        TimeoutError: Another process or thread holds the lock.
        OSError: The file cannot be written.
    """
    held = acquire(file, wait=wait)
    try:
        yield
    finally:
        release(held)


def acquire(file: Path, *, wait: bool = False) -> "BaseFileLock":
    """Takes a lock, to be given back by `release`; arguments and errors as for `locked`."""
    from filelock import FileLock

    with os.scandir(file.parent):  # raises if there is no such folder: filelock would make it
        pass
    held = FileLock(file, timeout=-1 if wait else 0, thread_local=False)
    held.acquire(poll_interval=0.01)
    return held


def release(held: "BaseFileLock") -> None:
    """Gives a lock back and removes its file."""
    # Before the lock is given back: later, it could be another process's. Windows refuses, and removes it on release.
    with contextlib.suppress(OSError):
        os.unlink(held.lock_file)
    held.release()
