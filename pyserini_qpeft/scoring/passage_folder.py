"""The folder of stored passages: the bytes that they take, and its limit. No torch here."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import locked
from pyserini_qpeft.scoring.passage_files import MODEL, UNFINISHED, UNFINISHED_TENSORS, about, files_of, write_whole
from pyserini_qpeft.scoring.sizes import size_text

_FREE_BYTES = 1 << 30
_FREE_SHARE = 0.05
_SLACK = 0.05
"""This share of the limit is freed beyond what is needed, so that not every new passage looks through the folder."""
_CLOCK_STEP_NS = 1_000_000_000
"""Time stamps of files may be behind the clock by this much."""


class DoesNotFitFolderError(QPeftError):
    """The limit of the folder, or the free space on its disk, is too small."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """The passages of one model in a folder.

    Attributes:
        model: Name of the model.
        dtype: The model's dtype.
        kept_as: The dtype in which the passages are kept.
        passages: Number of passages.
        bytes: Bytes that they take.
        used: When one of them was used last, in seconds since 1970; 0 if there is none.
    """

    model: str
    dtype: str
    kept_as: str
    passages: int
    bytes: int
    used: float


class PassageFolder:
    """A folder of stored passages that several processes may use at once.

    Files are only written and removed under one lock. A file gets its name when it is complete and is never changed
    afterwards, so reading needs no lock. When the limit is reached, the passages that were used longest ago are
    removed. Some space on the disk stays free (5 %, at most 1 GiB), with a limit and without.

    Args:
        folder: The folder. It is made if it does not exist.
        limit: Bytes that the passages of all models may take together. The folder remembers the limit: None leaves it
            as it is, and a new folder has none. If more is stored already, the oldest passages are removed at once.

    Raises:
        QPeftError: The folder cannot be made, or the limit cannot be written.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self._lock = folder / "passages.lock"
        self._note = folder / "passages.json"
        self._spared_from: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if limit is not None and limit != self.limit:
                with self.writing():
                    self._write_note(limit, None)
                    self.reserve(0)
        except OSError as error:
            raise QPeftError(f"cannot store passages in {folder}: {error.strerror or error}.") from error
        self._remove_unfinished()

    @property
    def limit(self) -> int | None:
        """Bytes that the passages may take; None for no limit."""
        return self._read_note()[0]

    @property
    def bytes(self) -> int:
        """Bytes that the passages of all models take."""
        return sum(file.bytes for model in self._models() for file in files_of(model))

    @property
    def room(self) -> int:
        """Bytes that can be written without removing a passage."""
        total, limit = self.bytes, self.limit
        room = self.free
        return max(0, room if limit is None else min(room, limit - total))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the lock of the folder: no other process writes or removes files meanwhile.

        Raises:
            OSError: The folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self._lock, wait=True):
            yield

    def spare_used_from_now(self) -> None:
        """Passages that are used or stored from now on are removed only for others that do not fit beside them."""
        self._spared_from = time.time_ns() - _CLOCK_STEP_NS

    def reserve(self, needed: int) -> None:
        """Counts `needed` bytes that are about to be written, and removes the oldest passages if they do not fit.

        The lock has to be held (`writing`).

        Raises:
            DoesNotFitFolderError: There is no room even if all passages are removed.
            OSError: The folder cannot be written.
        """
        limit, known = self._read_note()
        if known is None or (limit is not None and known + needed > limit) or self.free < needed:
            known = self._make_room(needed, limit)
        self._write_note(limit, known + needed)

    def clear(self, model: str | None = None) -> tuple[int, int]:
        """Removes passages.

        Args:
            model: Name of a model whose passages are removed; None removes those of all models.

        Returns:
            The number of passages and their bytes.

        Raises:
            OSError: A file cannot be removed.
        """
        count = size = 0
        with self.writing():
            for folder in self._models():
                if model is not None and about(folder).get("model") != model:
                    continue
                for file in files_of(folder):
                    file.path.unlink(missing_ok=True)
                    count, size = count + 1, size + file.bytes
                (folder / "model.json").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            self._write_note(self._read_note()[0], None)
        return count, size

    def models(self) -> list[StoredModel]:
        """What the folder holds, by model, the largest first."""
        listed = []
        for folder in self._models():
            files, note = list(files_of(folder)), about(folder)
            listed.append(
                StoredModel(
                    model=str(note.get("model") or "unknown"),
                    dtype=str(note.get("dtype") or "unknown"),
                    kept_as=str(note.get("kept_as") or "unknown"),
                    passages=len(files),
                    bytes=sum(file.bytes for file in files),
                    used=max((file.used for file in files), default=0) / 1e9,
                )
            )
        return sorted(listed, key=lambda one: -one.bytes)

    def _make_room(self, needed: int, limit: int | None) -> int:
        """Removes the oldest passages until `needed` bytes fit; returns the bytes of those that stay."""
        files = sorted((file for model in self._models() for file in files_of(model)), key=lambda file: file.used)
        total = sum(file.bytes for file in files)
        disk = total + self.free
        allowed = disk if limit is None else min(limit, disk)
        if needed > allowed:
            what = "the limit of the folder" if limit is not None and limit <= disk else "the free space on the disk"
            raise DoesNotFitFolderError(
                f"{size_text(needed)} do not fit into {self.folder}: {what} is {size_text(max(0, allowed))}."
            )
        if total + needed > allowed:
            for file in files:
                spared = self._spared_from is not None and file.used >= self._spared_from
                if total + needed <= (allowed if spared else allowed * (1 - _SLACK)):
                    break
                with contextlib.suppress(OSError):  # Windows does not remove a file that a process is reading
                    file.path.unlink(missing_ok=True)
                    total -= file.bytes
        return total

    @property
    def free(self) -> int:
        """Free bytes on the disk, without those that stay free."""
        usage = shutil.disk_usage(self.folder)
        return max(0, usage.free - min(_FREE_BYTES, int(usage.total * _FREE_SHARE)))

    def _models(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as found:
            return sorted(Path(one) for one in found if MODEL.fullmatch(one.name) and one.is_dir())
        return []

    def _remove_unfinished(self) -> None:
        # While the lock is held nobody writes, so each unfinished file is one that a killed process left.
        with contextlib.suppress(OSError), locked(self._lock):
            for folder in (self.folder, *self._models()):
                for name in os.listdir(folder):
                    tensors = folder != self.folder and UNFINISHED_TENSORS.fullmatch(name)
                    if tensors or UNFINISHED.fullmatch(name):
                        (folder / name).unlink(missing_ok=True)

    def _read_note(self) -> tuple[int | None, int | None]:
        """The limit, and the bytes of all passages; None for what is not known."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            limit, known = note.get("limit"), note.get("bytes")
        except (OSError, ValueError, AttributeError, RecursionError):
            return None, None
        return limit if isinstance(limit, int) else None, known if isinstance(known, int) else None

    def _write_note(self, limit: int | None, known: int | None) -> None:
        write_whole(self._note, {"limit": limit, "bytes": known})
