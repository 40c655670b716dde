"""Checks that nothing is written over a file that is read, and that one process at a time writes an output."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyserini_qpeft.data.drafts import remove_abandoned
from pyserini_qpeft.data.files import PathLike, user_write_errors
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import acquire, release


def refuse_overwriting_inputs(outputs: Iterable[PathLike], inputs: Iterable[PathLike]) -> None:
    """Refuse to go on if writing an output would replace an input.

    Two names of one file count as the same, also through symbolic and hard links, and so does the file beside an
    output that holds an unfinished run (`<output>.partial`). An input folder stands for all files in it. An output
    that is a folder counts with everything in it.

    Args:
        outputs: Files, or folders that are replaced as a whole; they need not exist.
        inputs: Files and folders that are read; those that do not exist are passed over.

    Raises:
        QPeftError: An output is one of the inputs.
    """
    given = [Path(path) for path in inputs]
    for output in map(Path, outputs):
        beside = [output.with_name(f"{output.name}.partial")] if output.name else []  # "." and "/" have none
        for place in (output, *beside):
            found = _lies_in(place, given) if place.is_dir() else _same_file(place, given)
            if found is not None:
                raise QPeftError(
                    f"cannot write {output}: it would replace {found}, which this command reads. "
                    "Choose another place for the output."
                )


@contextmanager
def only_writer(output: PathLike) -> Iterator[None]:
    """Keeps other processes from writing an output during a block, and removes what a killed one has left.

    Raises:
        QPeftError: Another process is writing it, its folder cannot be written to, or it has no name.
    """
    place = Path(output)
    if not place.name:  # "." and "/", and an empty name is "."
        raise QPeftError(f"cannot write {output}: give the output a name.")
    with user_write_errors(output):
        try:
            lock = acquire(place.with_name(f".{place.name}.lock"))
        except TimeoutError:
            raise QPeftError(f"another process is writing {output}: wait for it, or choose another output.") from None
    try:
        remove_abandoned(place)
        yield
    finally:
        release(lock)


def _same_file(output: Path, inputs: Iterable[Path]) -> Path | None:
    identity = _identity(output)
    if identity is None:
        return None
    return next((file for path in inputs for file in _files(path) if _identity(file) == identity), None)


def _lies_in(output: Path, inputs: Iterable[Path]) -> Path | None:
    folder = output.resolve()
    return next((path for path in inputs if path.exists() and path.resolve().is_relative_to(folder)), None)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a regular file; None for anything else, such as a terminal that is read and written."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
