"""A run that stays in its file: the hits of a query are read when they are asked for."""

import gzip
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import BinaryIO, cast

from pyserini_qpeft.data.fields import first_column
from pyserini_qpeft.data.files import PathLike, numbered_lines_of, open_binary, user_read_errors, user_write_errors
from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError

Clean = Callable[[str, list[ScoredDoc]], list[ScoredDoc]]
"""Sorts the hits of a query, and leaves out docids that occur twice."""

ReadBlock = Callable[[bytes, int], list[ScoredDoc]]
"""Reads the part of a file that holds one query; the number is that of its first line."""

ParseLines = Callable[[PathLike, Iterable[tuple[int, str]]], Run]
"""Reads numbered lines of the file that is named."""


class StoredRun(Mapping[str, list[ScoredDoc]]):
    """Hits by qid, read from a file in which each query has a part of its own. Threads may share it.

    It holds about 200 bytes for each query, and no hit.

    Args:
        path: The file. A gzipped one is unzipped to a temporary file once.
        read: Reads the hits of a part.

    Attributes:
        file: The content of the file, unzipped.
    """

    def __init__(self, path: PathLike, read: ReadBlock) -> None:
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

    def __getitem__(self, qid: str) -> list[ScoredDoc]:
        place = self._places[qid]
        with user_read_errors(self._path):
            with self._lock:
                self.file.seek(self._starts[place])
                block = self.file.read(self._lengths[place])
            if self._read_state() != self._state:
                raise QPeftError(f"{self._path} changed while it was read: start again when it is complete")
        return self._read(block, self._lines[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, qid: object) -> bool:
        return qid in self._places

    def _read_state(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_mtime_ns


def stored_lines(path: PathLike, clean: Clean, parse: ParseLines) -> StoredRun | None:
    """A run of lines that begin with the qid. The file is read once, and every line is checked.

    Args:
        path: The file.
        clean: Is applied to the hits of each query.
        parse: Reads the lines of one query.

    Returns:
        The run; None if the lines of a query do not stand together.

    Raises:
        QPeftError: The file cannot be read, or a line breaks the format.
    """

    def read(block: bytes, first: int) -> list[ScoredDoc]:
        ((qid, hits),) = parse(path, numbered_lines_of(block.split(b"\n"), path, first)).items()
        return clean(qid, hits)

    run = StoredRun(path, read)
    for qid, start, length, first, lines in _blocks(run.file, path):
        if qid in run:
            return None
        clean(qid, parse(path, lines)[qid])
        run.note(qid, start, length, first)
    return run


def _blocks(file: BinaryIO, path: PathLike) -> Iterator[tuple[str, int, int, int, list[tuple[int, str]]]]:
    """Yields lines that follow each other and have the same qid: qid, first byte, bytes, number, and the lines."""
    current: str | None = None
    start = position = 0
    first = 1
    block: list[tuple[int, str]] = []
    with user_read_errors(path):
        file.seek(0)
        for number, raw in enumerate(file, start=1):
            for _, line in numbered_lines_of([raw], path, number):
                qid = first_column(line)
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
