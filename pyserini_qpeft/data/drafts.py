"""Hidden files that become an output when they are whole. A killed process leaves one; the next start removes it."""

import contextlib
import fcntl
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def draft(place: Path) -> Iterator[BinaryIO]:
    """A file to write to, which is renamed to `place` at the end of the block, or removed if the block raises.

    It is locked until then. Drafts of the same place that nobody has locked are of killed processes and are removed.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    _remove_abandoned(place)
    hidden, opened = _create(place)
    with opened as file:
        try:
            yield file
            file.flush()
            hidden.replace(place)
        finally:
            hidden.unlink(missing_ok=True)


def _create(place: Path) -> tuple[Path, BinaryIO]:
    while True:
        hidden = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        file = open(hidden, "wb")  # noqa: SIM115 (the caller closes it)
        fcntl.flock(file, fcntl.LOCK_EX)
        if hidden.exists():
            return hidden, file
        file.close()  # another process took it for abandoned before it was locked


def _remove_abandoned(place: Path) -> None:
    name = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{8}}")
    with contextlib.suppress(OSError):  # a folder that cannot be read: drafts there stay
        for hidden in place.parent.iterdir():
            if name.fullmatch(hidden.name):
                _remove_if_abandoned(hidden)


def _remove_if_abandoned(hidden: Path) -> None:
    with contextlib.suppress(OSError), open(hidden, "rb") as file:  # locked, or gone already
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.unlink()
