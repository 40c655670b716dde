"""A run written query by query, that goes on where a killed job stopped."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.runs.files import PathLike, atomic_write, telling_write_errors
from pyserini_qpeft.runs.records import RankedList
from pyserini_qpeft.runs.writers import RunFormat, formatter


class ResumableWriter:
    """Writes lists as they are done to `<output>.partial`, and at the end all of them to `output`.

    The partial file has one JSON line of settings, then one for each finished query with its lines of the final
    format. A job that is killed leaves it; the next one with the same settings skips the queries in it, and the
    outcome is the same, byte for byte. A line that the kill cut short is dropped, and its query done again.

        with ResumableWriter("run.txt", qids=topics, settings={"model": name, "depth": 100}) as writer:
            for qid in writer.unfinished:
                writer.write(RankedList(qid, topics[qid], hits))

    If the block raises, the partial file stays.

    Args:
        output: Place of the run; gzipped if the name ends in `.gz`.
        qids: All queries of the job, in the order in which the run shall have them.
        settings: Whatever the scores depend on, as JSON values.
        form: Format of the run.
        tag: Name of the run in TREC format.
        restart: Throws away what an earlier job left.

    Raises:
        QPeftError: Other settings made the partial file, or it or the output cannot be written.
    """

    def __init__(
        self,
        output: PathLike,
        qids: Sequence[str] | Mapping[str, str],
        settings: Mapping[str, Any],
        *,
        form: RunFormat = "trec",
        tag: str = "qpeft",
        restart: bool = False,
    ) -> None:
        self.output = Path(output)
        self.partial = self.output.with_name(self.output.name + ".partial")
        if self.output.exists() and not self.output.is_file():
            raise QPeftError(f"cannot write {output}: not a file, so nothing could be resumed")
        self._lines_of = formatter(form, tag)
        self._settings = json.loads(json.dumps({**settings, "form": form, "tag": tag}, default=str))
        self._qids = list(qids)
        with telling_write_errors(self.partial):
            if restart:
                self.partial.unlink(missing_ok=True)
            self._done, whole = self._read_partial()
            self._file: TextIO = open(self.partial, "a", encoding="utf-8", newline="\n")  # noqa: SIM115
            if whole == 0:
                self._append({"settings": self._settings})
            else:
                os.truncate(self.partial, whole)

    @property
    def unfinished(self) -> list[str]:
        """The queries that are still to be done, in order."""
        return [qid for qid in self._qids if qid not in self._done]

    def write(self, ranked: RankedList) -> None:
        """Takes the list of one query, in any order of queries; a kill after this does not lose it.

        Raises:
            QPeftError: The format cannot hold the list (see `writers`), or the disk is full.
        """
        lines = self._lines_of(ranked)
        with telling_write_errors(self.partial):
            self._append({"qid": ranked.qid, "lines": lines})
        self._done[ranked.qid] = lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            with atomic_write(self.output) as file:
                file.writelines(self._done[qid] for qid in self._qids if qid in self._done)
            self.partial.unlink()

    def _append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def _read_partial(self) -> tuple[dict[str, str], int]:
        """The finished queries, and up to which byte the file is whole."""
        done: dict[str, str] = {}
        whole = 0
        if not self.partial.exists():
            return done, whole
        with open(self.partial, "rb") as file:
            for line in file:
                record = _whole_record(line)
                if record is None:
                    break
                if whole == 0:
                    self._compare(record.get("settings"))
                else:
                    done[record["qid"]] = record["lines"]
                whole += len(line)
        return done, whole

    def _compare(self, settings: Any) -> None:
        if settings == self._settings:
            return
        if not isinstance(settings, dict):
            raise QPeftError(f"{self.partial} is in the way and no unfinished run: move it elsewhere")
        names = [name for name in {**settings, **self._settings} if settings.get(name) != self._settings.get(name)]
        changed = ", ".join(f"{name} {settings.get(name)!r} (now {self._settings.get(name)!r})" for name in names)
        raise QPeftError(
            f"{self.partial} was begun with other settings: {changed}; set them back to go on, or start anew "
            "with --restart"
        )


def _whole_record(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
