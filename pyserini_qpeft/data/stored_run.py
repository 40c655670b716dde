"""A run that stays in its file: the part about a query is read when it is asked for."""

import gzip
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import BinaryIO, cast

from pyserini_qpeft.data.fields import first_column
from pyserini_qpeft.data.files import PathLike, numbered_lines_of, open_binary, user_read_errors, user_write_errors
from pyserini_qpeft.data.pipes import readable
from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError

KEPT_IN_MEMORY_BYTES = 8 << 20
"""The hits of larger run files stay in the file."""

Clean = Callable[[str, list[ScoredDoc]], list[ScoredDoc]]
"""Sorts the hits of a query, and leaves out docids that occur twice."""

type ReadBlock[T] = Callable[[str, bytes, int], T]
"""Reads the part of a file that holds one query: its qid, the bytes, and the number of their first line."""

ParseLines = Callable[[PathLike, Iterable[tuple[int, str]]], Run]
"""Reads numbered lines of the file that is named."""


def is_large(path: PathLike) -> bool:
    """Whether the hits of a file stay in it."""
    return os.stat(readable(path)).st_size > KEPT_IN_MEMORY_BYTES


class StoredQueries[T](Mapping[str, T]):
    """A mapping from qid to what a file says about this query. Threads may share it.

    Each query has one part of the file. About 200 bytes of memory are needed for each query, and no hit is in memory.

    Args:
        path: The file. A gzipped one is unzipped to a temporary file once.
        read: Reads a part.

    Attributes:
        file: The content of the file, unzipped.
    """

    def __init__(self, path: PathLike, read: ReadBlock[T]) -> None:
        self.file = _plain(path)
        self._path, self._read = path, read
        self._state = self._read_state()
        self._lock = Lock()  # a file has one position
        self._places: dict[str, int] = {}
        self._starts, self._lengths, self._lines = array("Q"), array("Q"), array("Q")

    def note(self, qid: str, start: int, length: int, line: int) -> None:
        """Notes where a query is: the first byte and the number of bytes of its part, and the number of its line."""
        self._places[qid] = len(self._starts)
        self._starts.append(start)
        self._lengths.append(length)
        self._lines.append(line)

    def __getitem__(self, qid: str) -> T:
        place = self._places[qid]
        with user_read_errors(self._path):
            with self._lock:
                self.file.seek(self._starts[place])
                block = self.file.read(self._lengths[place])
            if self._read_state() != self._state:
                raise QPeftError(f"{self._path} changed while it was read: start again when it is complete")
        return self._read(qid, block, self._lines[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, qid: object) -> bool:
        return qid in self._places

    def _read_state(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_mtime_ns


StoredRun = StoredQueries[list[ScoredDoc]]


def stored_lines(
    path: PathLike,
    clean: Clean,
    parse: ParseLines,
    *,
    qid_of: Callable[[str], str] = first_column,
    has_header: bool = False,
) -> StoredRun | None:
    """A run with a line for each hit. The file is read once, and every line is checked.

    Args:
        path: The file.
        clean: Is applied to the hits of each query.
        parse: Reads the lines of one query.
        qid_of: The qid of a line, as `parse` reads it; any text if the line breaks the format.
        has_header: Whether the first line is not that of a hit.

    Returns:
        The run; None if the lines of a query do not stand together.

    Raises:
        QPeftError: The file cannot be read, or a line breaks the format.
    """

    def read(qid: str, block: bytes, first: int) -> list[ScoredDoc]:
        return clean(qid, parse(path, numbered_lines_of(block.split(b"\n"), path, first))[qid])

    run = StoredRun(path, read)
    for qid, start, length, first, lines in _blocks(run.file, path, qid_of, has_header):
        if qid in run:
            return None
        clean(qid, parse(path, lines)[qid])
        run.note(qid, start, length, first)
    return run


def _blocks(
    file: BinaryIO, path: PathLike, qid_of: Callable[[str], str], has_header: bool
) -> Iterator[tuple[str, int, int, int, list[tuple[int, str]]]]:
    """Yields lines that follow each other and have the same qid: qid, first byte, bytes, number, and the lines."""
    current: str | None = None
    start = position = 0
    first = 1
    block: list[tuple[int, str]] = []
    with user_read_errors(path):
        file.seek(0)
        for number, raw in enumerate(file, start=1):
            for _, line in numbered_lines_of([raw], path, number):
                if has_header:
                    has_header = False
                    continue
                qid = qid_of(line)
                if qid != current:
                    if current is not None:
                        yield current, start, position - start, first, block
                    current, start, first, block = qid, position, number, []
                block.append((number, line))
            position += len(raw)
    if current is not None:
        yield current, start, position - start, first, block


def _plain(path: PathLike) -> BinaryIO:
    """The file, or its unzipped content in a temporary file that goes when it is closed."""
    file = open_binary(path)
    if not isinstance(file, gzip.GzipFile):
        return file
    copy = cast(BinaryIO, tempfile.TemporaryFile(prefix="qpeft-run-"))  # noqa: SIM115 (the run keeps it)
    with user_read_errors(path), file:
        while chunk := file.read(1 << 20):
            with user_write_errors(f"{path}, unzipped, to {tempfile.gettempdir()}"):
                copy.write(chunk)
                copy.flush()
    return copy
