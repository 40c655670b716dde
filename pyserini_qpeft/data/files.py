"""Opening, reading and writing text files, plain or gzipped, with mistakes told by file and line."""

import errno
import gzip
import io
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from pyserini_qpeft.errors import QPeftError

type PathLike = str | os.PathLike[str]

_GZIP_MAGIC = b"\x1f\x8b"
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def open_text(path: PathLike) -> TextIO:
    """Opens a UTF-8 text file for reading, unzipped if it begins like a gzip file.

    Raises:
        QPeftError: No such file, a folder, or one that may not be read.
    """
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig")


def numbered_lines(path: PathLike) -> Iterator[tuple[int, str]]:
    """Yields the lines of a text file that are not blank, each with its number from 1, without line end.

    Raises:
        QPeftError: The file cannot be read, is a broken gzip file, or a line is not UTF-8.
    """
    with user_read_errors(path), _open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise QPeftError(f"{path}:{number}: not UTF-8: convert the file (iconv -t utf-8)") from None
            if text and not text.isspace():
                yield number, text


def read_whole(path: PathLike) -> str:
    """The text of a file with its blank lines, for formats that are not read by the line; errors as above."""
    lines: list[str] = []
    for number, line in numbered_lines(path):
        lines += [""] * (number - 1 - len(lines))
        lines.append(line)
    return "\n".join(lines)


def first_line(path: PathLike, *, what: str) -> str:
    """The first line that is not blank, by which a format is told.

    Raises:
        QPeftError: The file is empty; the message calls it `what`.
    """
    for _, line in numbered_lines(path):
        return line
    raise QPeftError(f"{path} is empty, where {what} was expected")


def parse_json(text: str, path: PathLike, number: int = 1) -> Any:
    """Parses one JSON value that begins on line `number` of `path`.

    Raises:
        QPeftError: Broken JSON, with the line where it breaks.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{number + error.lineno - 1}"
        raise QPeftError(f"{where}: broken JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise QPeftError(f"{path}:{number}: JSON is nested too deeply") from None


@contextmanager
def atomic_write(path: PathLike) -> Iterator[TextIO]:
    """A text file that appears at `path` only when it is whole; gzipped if the name ends in `.gz`.

    It is written beside its place and moved there at the end of the block; if the block raises, nothing
    is left and what was at `path` stays. A path that is no regular file (`/dev/stdout`) is written to directly.

    Raises:
        QPeftError: The folder is missing or may not be written to, or the disk is full.
    """
    place = Path(path)
    if place.is_dir():
        raise QPeftError(f"cannot write {path}: it is a folder, where a file name was expected")
    in_place = place.exists() and not place.is_file()
    place = place if in_place else place.resolve()
    draft = place if in_place else place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    with user_write_errors(path):
        raw = open(draft, "wb")  # noqa: SIM115 (closed below, where other errors are told)
    try:
        with raw, _writer(raw, zipped=place.suffix == ".gz") as file:
            yield file
        if not in_place:
            draft.replace(place)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:  # raised in the block, and not by our writing
            raise
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if not in_place:
            draft.unlink(missing_ok=True)


@contextmanager
def user_write_errors(path: PathLike) -> Iterator[None]:
    """Turns the system's errors on opening or writing `path` into one sentence.

    Raises:
        QPeftError: The folder is missing or may not be written to, or the disk is full.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise QPeftError(f"cannot write {path}: the folder {Path(path).parent} does not exist") from error
    except OSError as error:
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def user_read_errors(path: PathLike) -> Iterator[None]:
    """Turns the system's errors on opening or reading `path` into one sentence.

    Raises:
        QPeftError: No such file, a folder, a file that may not be read, or a broken gzip file.
    """
    try:
        yield
    except FileNotFoundError:
        raise QPeftError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise QPeftError(f"{path} is a folder, where a file was expected") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise QPeftError(f"{path}: broken gzip file ({error}); was it copied whole?") from None
    except OSError as error:
        raise QPeftError(f"cannot read {path}: {error.strerror}") from None


def _open_bytes(path: PathLike) -> BinaryIO:
    with user_read_errors(path):
        with open(path, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
        return cast(BinaryIO, gzip.open(path, "rb")) if zipped else open(path, "rb")


@contextmanager
def _writer(raw: BinaryIO, *, zipped: bool) -> Iterator[TextIO]:
    # No name and no time in the gzip header: the same content gives the same bytes.
    binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if zipped else raw
    with io.TextIOWrapper(cast(BinaryIO, binary), encoding="utf-8", newline="\n") as file:
        yield file
