"""Hidden files that take their place when they are whole. A killed process leaves one; the next start removes it."""

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pyserini_qpeft.locks import acquire, locked, release

if TYPE_CHECKING:
    from filelock import BaseFileLock


@contextmanager
def draft(place: Path) -> Iterator[BinaryIO]:
    """A file to write to, which is renamed to `place` at the end of the block, or removed if the block raises.

    It is locked until then. Drafts of the same place that nobody has locked are of killed processes and are removed.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    remove_abandoned(place)
    hidden, lock = _reserve(place)
    try:
        with open(hidden, "wb") as file:
            yield file
        hidden.replace(place)
    finally:
        hidden.unlink(missing_ok=True)
        release(lock)


def _reserve(place: Path) -> tuple[Path, "BaseFileLock"]:
    """A name for the draft, which is locked before there is a file, so that nobody takes it for abandoned."""
    while True:
        hidden = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(TimeoutError):  # another process found the lock first, and looks what it belongs to
            return hidden, acquire(_lock_of(hidden))


def _lock_of(hidden: Path) -> Path:
    return hidden.with_name(f"{hidden.name}.lock")


def remove_abandoned(place: Path) -> None:
    """Removes the drafts of a place that killed processes have left."""
    name = re.compile(rf"(\.{re.escape(place.name)}\.[0-9a-f]{{8}})(\.lock)?")
    with contextlib.suppress(OSError):  # a folder that cannot be read: drafts there stay
        for hidden in {
            place.with_name(found[1]) for file in place.parent.iterdir() if (found := name.fullmatch(file.name))
        }:
            # It is in use (TimeoutError), or cannot be removed.
            with contextlib.suppress(OSError), locked(_lock_of(hidden)):
                hidden.unlink(missing_ok=True)
