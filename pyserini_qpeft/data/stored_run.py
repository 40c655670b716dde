"""A run that stays in its file: the hits of a query are read when they are asked for."""

import gzip
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, cast

from pyserini_qpeft.data.fields import first_column
from pyserini_qpeft.data.files import PathLike, numbered_lines_of, open_binary, user_read_errors
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.run_formats.run_format import ParseLines
from pyserini_qpeft.errors import QPeftError

Clean = Callable[[str, list[ScoredDoc]], list[ScoredDoc]]
"""Sorts the hits of a query, and leaves out docids that occur twice."""


class StoredRun(Mapping[str, list[ScoredDoc]]):
    """Hits by qid, read from the file of a run whose lines are sorted by query. Threads may share it.

    It holds about 200 bytes for each query, and no hit. A gzipped file is unzipped to a temporary file once.

    Args:
        file: The lines, positioned anywhere.
        path: Name of the file, for messages.
        parse: Reads the lines of one query.
        clean: Is applied to the hits of each query.
    """

    def __init__(self, file: BinaryIO, path: PathLike, parse: ParseLines, clean: Clean) -> None:
        self._file, self._path, self._parse, self._clean = file, path, parse, clean
        self._state = self._read_state()
        self._places: dict[str, int] = {}
        self._starts, self._lengths, self._lines = array("Q"), array("Q"), array("Q")

    @classmethod
    def open(cls, path: PathLike, parse: ParseLines, clean: Clean) -> "StoredRun | None":
        """Reads the file once, checks every line, and notes where each query begins.

        Returns:
            The run; None if the lines of a query do not stand together.

        Raises:
            QPeftError: The file cannot be read, or a line breaks the format.
        """
        run = cls(_plain(path), path, parse, clean)
        return run if run._note_places() else None

    def __getitem__(self, qid: str) -> list[ScoredDoc]:
        place = self._places[qid]
        with user_read_errors(self._path):
            block = os.pread(self._file.fileno(), self._lengths[place], self._starts[place]).split(b"\n")
            if self._read_state() != self._state:
                raise QPeftError(f"{self._path} changed while it was read: start again when it is complete")
        lines = numbered_lines_of(block, self._path, self._lines[place])
        return self._clean(qid, self._parse(self._path, lines)[qid])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, qid: object) -> bool:
        return qid in self._places

    def _read_state(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def _note_places(self) -> bool:
        current: str | None = None
        start = position = 0
        block: list[tuple[int, str]] = []
        first = 1

        def close(end: int) -> bool:
            if current is None:
                return True
            if current in self._places:
                return False
            self._clean(current, self._parse(self._path, block)[current])
            self._places[current] = len(self._starts)
            self._starts.append(start)
            self._lengths.append(end - start)
            self._lines.append(first)
            return True

        with user_read_errors(self._path):
            self._file.seek(0)
            for number, raw in enumerate(self._file, start=1):
                for _, line in numbered_lines_of([raw], self._path, number):
                    qid = first_column(line)
                    if qid != current:
                        if not close(position):
                            return False
                        current, start, first, block = qid, position, number, []
                    block.append((number, line))
                position += len(raw)
        return close(position)


def _plain(path: PathLike) -> BinaryIO:
    """The file, or its unzipped content in a temporary file that goes when it is closed."""
    file = open_binary(path)
    if not isinstance(file, gzip.GzipFile):
        return file
    copy = cast(BinaryIO, tempfile.TemporaryFile(prefix="qpeft-run-"))  # noqa: SIM115 (the run keeps it)
    with user_read_errors(path), file:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
    return copy
