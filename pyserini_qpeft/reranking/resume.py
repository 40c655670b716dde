"""A run that is written query by query, and continues where a killed process stopped."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pyserini_qpeft.data.files import PathLike, atomic_write, user_read_errors, user_write_errors
from pyserini_qpeft.data.records import RankedList
from pyserini_qpeft.data.runs import formatter, header_of
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import acquire, release

_HEADER = b'{"settings": '


class ResumableWriter:
    """Writes the list of each query to `<output>.partial` when it is done, and at the end all of them to `output`.

    The partial file has one JSON line of settings, then one for each finished query with its lines of the final
    format. A process that is killed leaves it. The next one with the same settings skips the queries in it, and writes
    the same output, byte for byte. A line that the kill cut short is dropped, and its query is done again.

        with ResumableWriter("run.txt", topics, {"model": name, "depth": 100}) as writer:
            for qid in writer.unfinished:
                writer.write(RankedList(qid, topics[qid], hits))

    If the block raises, finished queries stay for the next process.

    Args:
        output: The run's file; gzipped if the name ends in `.gz`.
        qids: All queries of the run, in the order in which they are written.
        settings: Everything that the lists depend on, as JSON values.
        form: Format of the run.
        tag: Name of the run in TREC format.
        restart: Start again, and drop the queries that are finished.

    Attributes:
        finished: The qids that are finished, each with the fingerprint that `write` got.

    Raises:
        QPeftError: There is an unfinished run of other settings, another process is writing it, or the file cannot be
            written.
    """

    def __init__(
        self,
        output: PathLike,
        qids: Iterable[str],
        settings: Mapping[str, Any],
        *,
        form: str = "trec",
        tag: str = "qpeft",
        restart: bool = False,
    ) -> None:
        self.output = Path(output)
        self.partial = self.output.with_name(self.output.name + ".partial")
        if self.output.exists() and not self.output.is_file():
            raise QPeftError(f"cannot write {output}: it is not a file, so an unfinished run could not be kept")
        self._lines_of = formatter(form, tag)
        self._header = header_of(form)
        self._settings = json.loads(json.dumps({**settings, "format": form, "tag": tag}, default=_plain))
        self._qids = list(qids)
        self.finished: dict[str, str | None] = {}
        self._places: dict[str, int] = {}  # where in the partial file the line of a finished query begins
        with user_write_errors(self.partial):
            try:
                self._lock = acquire(self.output.with_name(f".{self.output.name}.lock"))
            except TimeoutError:
                raise QPeftError(
                    f"another process is writing {self.partial}: wait for it, or choose another output"
                ) from None
        try:
            with user_write_errors(self.partial):
                # Unbuffered: a finished query is in the file at once, and a full disk is reported once.
                self._file = open(self.partial, "ab", buffering=0)  # noqa: SIM115
        except QPeftError:
            release(self._lock)
            raise
        try:
            whole = self._read_finished(restart)
            with user_write_errors(self.partial):
                self._file.truncate(whole)
                if not self._places:
                    self._append({"settings": self._settings})
        except QPeftError:
            self._close()
            raise

    @property
    def unfinished(self) -> list[str]:
        """The queries that are not finished, in order."""
        return [qid for qid in self._qids if qid not in self._places]

    def write(self, ranked: RankedList, fingerprint: str | None = None) -> None:
        """Keep the list of one query; queries may come in any order. A kill after this does not lose it.

        Args:
            ranked: The list.
            fingerprint: A hash of what this list alone depends on; kept beside it, see `finished`.

        Raises:
            QPeftError: The format cannot hold the list (see `data.run_formats`), or the disk is full.
        """
        lines = self._lines_of(ranked)
        with user_write_errors(self.partial):
            place = self._append({"qid": ranked.qid, "fingerprint": fingerprint, "lines": lines})
        self._places[ranked.qid], self.finished[ranked.qid] = place, fingerprint

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # Windows removes no open file
            if kind is None:
                with atomic_write(self.output) as file:
                    file.write(self._header)
                    file.writelines(self._finished_lines())
            if kind is None or not self._places:
                self.partial.unlink()
        finally:
            self._close()

    def _close(self) -> None:
        self._file.close()
        release(self._lock)

    def _append(self, record: dict[str, Any]) -> int:
        place = self._file.seek(0, io.SEEK_END)
        rest = memoryview(json.dumps(record).encode() + b"\n")
        while rest:
            rest = rest[self._file.write(rest) :]
        return place

    def _finished_lines(self) -> Iterator[str]:
        with open(self.partial, "rb") as file:
            for qid in self._qids:
                if qid in self._places:
                    file.seek(self._places[qid])
                    yield json.loads(file.readline())["lines"]

    def _read_finished(self, restart: bool) -> int:
        """Find the finished queries of an earlier process; returns the number of bytes that are whole."""
        with user_read_errors(self.partial), open(self.partial, "rb") as file:
            header = file.readline()
            if not (header.startswith(_HEADER) or _HEADER.startswith(header)):
                raise QPeftError(
                    f"{self.partial} is not an unfinished run, and its name is needed for one: move it elsewhere"
                )
            if restart:
                return 0
            place = len(header)
            for line in file:
                record = _whole_record(line)
                if record is None:
                    break
                self._places[record["qid"]], self.finished[record["qid"]] = place, record.get("fingerprint")
                place += len(line)
        if not self._places:
            return 0
        self._compare(self._settings_in(header))
        return place

    def _settings_in(self, header: bytes) -> dict[str, Any]:
        try:
            settings = json.loads(header)["settings"]
        except ValueError:
            settings = None
        if not isinstance(settings, dict):
            raise QPeftError(f"{self.partial} is damaged: start again with --restart, or delete it")
        return settings

    def _compare(self, settings: dict[str, Any]) -> None:
        names = [name for name in {**settings, **self._settings} if settings.get(name) != self._settings.get(name)]
        if not names:
            return
        changed = ", ".join(f"{name} {settings.get(name)!r} (now {self._settings.get(name)!r})" for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise QPeftError(
            f"{self.partial} is an unfinished run with {changed}{more}: set that back to continue it, or restart"
        )


def _plain(value: Any) -> Any:
    """A value that JSON has no form for: a number of numpy as one of Python, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _whole_record(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in ("qid", "lines")):
            return None
        record["lines"].encode()
    except ValueError:  # broken JSON, or half of a surrogate pair
        return None
    return record
