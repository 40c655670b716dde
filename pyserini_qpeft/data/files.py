"""Reads and writes text files, plain or gzipped. Errors name the file and the line."""

import errno
import gzip
import io
import json
import os
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from pyserini_qpeft.data.drafts import draft
from pyserini_qpeft.data.pipes import readable
from pyserini_qpeft.errors import QPeftError

type PathLike = str | os.PathLike[str]

_GZIP_MAGIC = b"\x1f\x8b"
_FIRST_LINE_BYTES = 1 << 20
_MOST_DIGITS = 308
"""Longer whole numbers do not become floats."""
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def open_text(path: PathLike) -> TextIO:
    """Opens a UTF-8 text file for reading and unzips it if it begins like a gzip file.

    Raises:
        QPeftError: The file does not exist, is a folder or cannot be read.
    """
    return io.TextIOWrapper(open_binary(path), encoding="utf-8-sig", newline="\n")


def numbered_lines(path: PathLike) -> Iterator[tuple[int, str]]:
    """Yields the lines of a text file that are not blank, each with its number from 1 and without its line end.

    Raises:
        QPeftError: The file cannot be read, is a broken gzip file, or has a line that is not UTF-8.
    """
    with user_read_errors(path), open_binary(path) as file:
        yield from numbered_lines_of(file, path)


def numbered_lines_of(lines: Iterable[bytes], path: PathLike, first: int = 1) -> Iterator[tuple[int, str]]:
    """Yields lines that are read already as `numbered_lines` does; the first has the number `first`.

    Raises:
        QPeftError: A line is not UTF-8.
    """
    for number, line in enumerate(lines, start=first):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise QPeftError(f"{path}:{number}: not UTF-8: convert the file (iconv -t utf-8)") from None
        if text and not text.isspace():
            yield number, text


def read_whole(path: PathLike) -> str:
    """The text of a file, blank lines included, for formats that are not read line by line.

    Raises:
        QPeftError: As `numbered_lines`.
    """
    lines: list[str] = []
    for number, line in numbered_lines(path):
        lines += [""] * (number - 1 - len(lines))
        lines.append(line)
    return "\n".join(lines)


def first_line(path: PathLike, *, what: str) -> str:
    """The first line that is not blank, or its first MiB (a JSON array may be one line): it shows the format of a file.

    Raises:
        QPeftError: The file is empty. The message says that `what` was expected.
    """
    with user_read_errors(path), open_binary(path) as file:
        starts = iter(lambda: file.readline(_FIRST_LINE_BYTES), b"")
        for _, line in numbered_lines_of(map(_whole_characters, starts), path):
            return line
    raise QPeftError(f"{path} is empty, where {what} was expected")


def _whole_characters(start: bytes) -> bytes:
    """The start of a line without a last character that was cut."""
    if start.endswith(b"\n"):
        return start
    # Bytes that are not UTF-8 stay as they are, so that they are reported.
    return getincrementaldecoder("utf-8")("surrogateescape").decode(start).encode("utf-8", "surrogateescape")


def parse_json(text: str, path: PathLike, number: int = 1) -> Any:
    """Parses one JSON value that begins on line `number` of `path`.

    Raises:
        QPeftError: The JSON is broken, too deeply nested, or has a whole number that no float can hold.
    """
    with user_json_errors(path, number):
        return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{len(digits)} digits")
    return int(digits)


@contextmanager
def user_json_errors(path: PathLike, number: int = 1) -> Iterator[None]:
    """Turns errors of parsing a JSON text that begins on line `number` of `path` into one sentence.

    Raises:
        QPeftError: The JSON is broken, too deeply nested, or has a number of thousands of digits.
    """
    try:
        yield
    except json.JSONDecodeError as error:
        where = f"{path}:{number + error.lineno - 1}"
        raise QPeftError(f"{where}: broken JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise QPeftError(f"{path}:{number}: JSON is nested too deeply") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise QPeftError(f"{path}:{number}: a number in this JSON has too many digits") from None


@contextmanager
def user_read_errors(path: PathLike) -> Iterator[None]:
    """Turns the system's errors of opening or reading `path` into one sentence.

    Raises:
        QPeftError: The file does not exist, is a folder, cannot be read, or is a broken gzip file.
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


@contextmanager
def atomic_write(path: PathLike) -> Iterator[TextIO]:
    """A text file that appears at `path` only when it is whole; gzipped if the name ends in `.gz`.

    The text goes to a hidden file in the same folder, which is renamed at the end of the block. If the block raises,
    the hidden file is removed and the file at `path` stays as it was. A device or pipe (`/dev/stdout`) is written
    directly.

    Raises:
        QPeftError: The folder does not exist or cannot be written to, or the disk is full.
    """
    place = Path(path)
    if place.is_dir():
        raise QPeftError(f"cannot write {path}: it is a folder, where a file name was expected")
    in_place = place.exists() and not place.is_file()
    place = place if in_place else place.resolve()
    with _own_write_errors(path), ExitStack() as stack:
        with user_write_errors(path):
            raw = stack.enter_context(open(place, "wb") if in_place else draft(place))  # noqa: SIM115
        with _writer(raw, zipped=place.suffix == ".gz") as file:
            yield file


@contextmanager
def _own_write_errors(path: PathLike) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:  # raised by the caller's block
            raise
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def user_write_errors(path: PathLike) -> Iterator[None]:
    """Turns the system's errors of opening or writing `path` into one sentence.

    Raises:
        QPeftError: The folder does not exist or cannot be written to, or the disk is full.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise QPeftError(f"cannot write {path}: the folder {Path(path).parent} does not exist") from error
    except OSError as error:
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error


def open_binary(path: PathLike) -> BinaryIO:
    """Opens a file for reading and unzips it if it begins like a gzip file.

    Raises:
        QPeftError: The file does not exist, is a folder or cannot be read.
    """
    with user_read_errors(path):
        place = readable(path)
        with open(place, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
        return cast(BinaryIO, gzip.open(place, "rb")) if zipped else open(place, "rb")


@contextmanager
def _writer(raw: BinaryIO, *, zipped: bool) -> Iterator[TextIO]:
    """A text file on top of a binary one, which stays open."""
    if zipped:
        # No name and no time in the gzip header: the same content gives the same bytes.
        binary = cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        with io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as file:
            yield file
        return
    file = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
    try:
        yield file
    finally:
        file.detach()
