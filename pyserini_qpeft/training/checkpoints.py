"""The folder of an unfinished training run: its settings and checkpoints, beside the output folder."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from pyserini_qpeft.data.files import atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import acquire, locked, release

if TYPE_CHECKING:
    from filelock import BaseFileLock

_COMPLETE = "complete"
_STEP = re.compile(r"checkpoint-(\d+)$")
FINISHED = "training.json"
"""The training record in an adapter's folder."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The output folder, and the folder beside it that holds the run until it is finished.

    Attributes:
        output: The folder of the adapter; it is written when training ends.
    """

    output: Path

    @property
    def folder(self) -> Path:
        """The folder of the unfinished run."""
        return self.output.with_name(f"{self.output.name}.training")

    @property
    def is_finished(self) -> bool:
        """Whether the output folder holds a trained adapter."""
        return (self.output / FINISHED).is_file()

    def check(self, *, resume: bool) -> None:
        """Checks that the run can be written.

        Raises:
            QPeftError: The output folder holds something, its parent folder does not exist, or there is a run that is
                unfinished and `resume` is false, or one that another process is writing.
        """
        if not self.output.absolute().parent.is_dir():
            raise QPeftError(f"cannot write {self.output}: the folder {self.output.parent} does not exist.")
        self._check_output()
        if self.folder.exists() and not resume:
            release(self._lock())  # nobody should delete the folder of a run that another process continues
            raise QPeftError(
                f"{self.folder} holds an unfinished run: continue it (--resume), delete it, or choose another output."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder of the run and keeps other processes from writing to it.

        Raises:
            QPeftError: Another process is training to the same output, or has finished meanwhile.
        """
        lock = self._lock()
        try:
            self.folder.mkdir(exist_ok=True)
            self._check_output()
            yield
        finally:
            release(lock)

    def write_settings(self, settings: dict[str, Any], defaults: dict[str, Any]) -> None:
        """Writes the settings of the run, or compares them with those of the unfinished run.

        Args:
            settings: The settings, plain values in at most two levels.
            defaults: Values of settings that an older version, which began the unfinished run, did not have.

        Raises:
            QPeftError: A setting differs from the unfinished run's; the message names it.
        """
        file = self.folder / "settings.json"
        if file.is_file():
            before = _with_defaults(parse_json(read_whole(file), file), json.loads(json.dumps(defaults)))
            now = json.loads(json.dumps(settings))
            differing = next((name for name in now if before.get(name) != now[name]), None)
            if differing is not None:
                raise QPeftError(
                    f"the unfinished run in {self.folder} has another {differing}: "
                    f"{_differences(before.get(differing), now[differing])}; "
                    "resume with the same settings and files, or choose another output."
                )
        with atomic_write(file) as written:
            written.write(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")

    def finish(self, adapter: Path) -> None:
        """Moves the complete adapter folder to the output folder and removes the folder of the run."""
        if self.output.is_dir():
            self.output.rmdir()
        adapter.rename(self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    def clean_up(self) -> None:
        """Removes what a process that was killed at the very end has left beside the output, unless another does so."""
        with suppress(OSError), locked(self._lock_file):
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _lock_file(self) -> Path:
        return self.output.with_name(f".{self.output.name}.lock")

    def _lock(self) -> "BaseFileLock":
        try:
            # Beside the folder: Windows removes no folder with an open file in it.
            return acquire(self._lock_file)
        except TimeoutError:
            raise QPeftError(
                f"another process is training to {self.output}: wait for it, or choose another output."
            ) from None

    def _check_output(self) -> None:
        if self.output.exists() and not (self.output.is_dir() and not any(self.output.iterdir())):
            what = "another run's adapter" if self.is_finished else "something else"
            raise QPeftError(f"{self.output} holds {what} already: choose another output folder.")


@contextmanager
def saving_errors(folder: Path) -> Iterator[None]:
    """Turns a failure to save weights, such as a full disk, into a `QPeftError`."""
    try:
        yield
    # torch raises a RuntimeError where it cannot write.
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch does not say what the system said.
        reason = getattr(error, "strerror", None) or f"is the disk full? ({str(error).strip().partition(chr(10))[0]})"
        raise QPeftError(
            f"cannot write to {folder}: {reason}; complete checkpoints are kept: make space, then use --resume."
        ) from error


def mark_complete(folder: Path, step: int) -> None:
    """Marks the checkpoint of a step as complete; one without the mark may have been cut short by a kill."""
    (folder / f"checkpoint-{step}" / _COMPLETE).touch()


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the complete checkpoint of the last step, or None."""
    steps = [
        (int(match[1]), place)
        for place in folder.glob("checkpoint-*")
        if (match := _STEP.search(place.name)) and (place / _COMPLETE).is_file()
    ]
    return max(steps)[1] if steps else None


def remove_incomplete(folder: Path) -> None:
    """Removes checkpoints that are not complete."""
    for place in folder.glob("checkpoint-*"):
        if not (place / _COMPLETE).is_file():
            shutil.rmtree(place)


def _with_defaults(settings: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    filled = {**defaults, **settings}
    for name, group in defaults.items():
        if isinstance(group, dict) and isinstance(filled[name], dict):
            filled[name] = {**group, **filled[name]}
    return filled


def _differences(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        return ", ".join(
            f"{name} was {before.get(name)!r} and is {now[name]!r}" for name in now if before.get(name) != now[name]
        )
    return f"it was {before!r} and is {now!r}"
