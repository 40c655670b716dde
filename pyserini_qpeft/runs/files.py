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
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


def open_text(path: PathLike) -> TextIO:
    """Opens a UTF-8 text file for reading, unzipped if it begins like a gzip file.

    Raises:
        QPeftError: there is no such file, it is a folder, or it may not be read.
    """
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig", newline="\n")


def numbered_lines(path: PathLike) -> Iterator[tuple[int, str]]:
    """Yields the lines of a text file that are not blank, each with its number from 1, without line end.

    Raises:
        QPeftError: the file cannot be opened, is a broken gzip file, or a line is not UTF-8.
    """
    number = 0
    with _open_bytes(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text and not text.isspace():
                    yield number, text
        except UnicodeDecodeError:
            raise QPeftError(f"{path}:{number}: not UTF-8; convert the file (iconv -t utf-8)") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise QPeftError(f"{path}: broken gzip file ({error}); was it copied whole?") from None


def read_whole(path: PathLike) -> str:
    """The whole text of a file, with the errors of `numbered_lines`."""
    try:
        with open_text(path) as file:
            return file.read()
    except UnicodeDecodeError:
        for _ in numbered_lines(path):
            pass
        raise
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise QPeftError(f"{path}: broken gzip file ({error}); was it copied whole?") from None


def first_line(path: PathLike, *, what: str) -> str:
    """The first line that is not blank, by which a format is told.

    Raises:
        QPeftError: the file is empty; the message calls it `what`.
    """
    for _, line in numbered_lines(path):
        return line
    raise QPeftError(f"{path} is empty, where {what} was expected")


def parse_json(text: str, path: PathLike, number: int = 1) -> Any:
    """Parses one JSON value that begins on line `number` of `path`.

    Raises:
        QPeftError: broken JSON, with the line where it breaks.
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
        QPeftError: the folder is missing or may not be written to, or the disk is full.
    """
    place = Path(path)
    if place.is_dir():
        raise QPeftError(f"cannot write {path}: it is a folder, where a file name was expected")
    in_place = place.exists() and not place.is_file()
    place = place if in_place else place.resolve()
    draft = place if in_place else place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    with telling_write_errors(path):
        try:
            with open(draft, "wb") as raw, _writer(raw, zipped=place.suffix == ".gz") as file:
                yield file
            if not in_place:
                draft.replace(place)
        except BaseException:
            if not in_place:
                draft.unlink(missing_ok=True)
            raise


@contextmanager
def telling_write_errors(path: PathLike) -> Iterator[None]:
    """Turns the system's errors on writing `path` into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        if Path(path).resolve().parent.is_dir():
            raise
        raise QPeftError(f"cannot write {path}: the folder {Path(path).parent} does not exist") from error
    except (PermissionError, NotADirectoryError) as error:
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise QPeftError(f"cannot write {path}: {error.strerror}") from error


def _open_bytes(path: PathLike) -> BinaryIO:
    try:
        file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    except FileNotFoundError:
        raise QPeftError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise QPeftError(f"{path} is a folder, where a file was expected") from None
    except OSError as error:
        raise QPeftError(f"cannot read {path}: {error.strerror}") from None
    if file.peek(2)[:2] == _GZIP_MAGIC:
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return file


@contextmanager
def _writer(raw: BinaryIO, *, zipped: bool) -> Iterator[TextIO]:
    # No name and no time in the gzip header: the same content gives the same bytes.
    binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if zipped else raw
    with io.TextIOWrapper(cast(BinaryIO, binary), encoding="utf-8", newline="\n") as file:
        yield file
