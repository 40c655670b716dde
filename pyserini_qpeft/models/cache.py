"""The user's cache: what is made once from a user's files and used again by later runs.

The folder is the one that the environment variable `QPEFT_CACHE` names, or else the user's cache folder
(`~/.cache/pyserini-qpeft` on Linux). It can be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import locked

_SETTLED_SECONDS = 2.0
"""A file that changed more recently may change again without a new time stamp, so its hash is not remembered."""


def cache_folder() -> Path:
    """The folder of the cache; it need not exist."""
    if named := os.environ.get("QPEFT_CACHE"):
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("pyserini-qpeft", appauthor=False)


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Builds a folder of the cache, if it is not there yet.

    The folder is built beside its place and moved there whole, so it is complete or absent. A lock keeps a second
    process waiting until the first has finished.

    Args:
        folder: The folder.
        build: Fills an empty folder with the content.

    Returns:
        The folder, complete.

    Raises:
        QPeftError: The folder cannot be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_name(f"{folder.name}.lock"), wait=True):
            if not folder.is_dir():
                partial = folder.with_name(f"{folder.name}.partial")
                # A process that was killed may have left one; while the lock is held nobody else uses it.
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                try:
                    build(partial)
                    partial.replace(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise QPeftError(
            f"cannot write to the cache {cache_folder()} ({reason}): set QPEFT_CACHE to a folder with enough room."
        ) from error
    return folder


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits.

    The hash is remembered in the cache, together with the file's size, time stamps and inode, and computed again if
    any of these has changed.

    Raises:
        QPeftError: The file cannot be read, or changes while it is read.
    """
    path = path.resolve()
    try:
        state = _state(path)
        note = cache_folder() / "hashes" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
        if (known := _remembered(note, state)) is not None:
            return known
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _state(path) != state:
            raise QPeftError(f"{path} changed while it was read: wait until it is complete.")
    except OSError as error:
        raise QPeftError(f"cannot read {path}: {error.strerror or error}.") from error
    if time.time() - max(state["mtime_ns"], state["ctime_ns"]) / 1e9 > _SETTLED_SECONDS:
        _remember(note, state | {"path": str(path), "sha256": digest})
    return digest


def _state(path: Path) -> dict[str, int]:
    found = path.stat()
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }


def _remembered(note: Path, state: dict[str, int]) -> str | None:
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        same = all(known[key] == value for key, value in state.items())
        return str(known["sha256"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(note: Path, content: dict[str, int | str]) -> None:
    # One name, so that the next process replaces what a killed one has left. Two processes at once write the same, or
    # leave a note that cannot be read and does not count.
    partial = note.with_name(f"{note.name}.partial")
    # Without a note the hash is computed again next time; a cache that cannot be written is reported elsewhere.
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(note)
