"""Where a run stands while it lasts: a folder beside its output, with its settings and checkpoints."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.files import atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError

_COMPLETE = "complete"
_STEP = re.compile(r"checkpoint-(\d+)$")
FINISHED = "training.json"
"""The file in an adapter's folder that tells how it was trained."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The output folder, and the one beside it that holds an unfinished run.

    Attributes:
        output: The adapter's folder, which appears when training is through.
    """

    output: Path

    @property
    def folder(self) -> Path:
        """Where the unfinished run is."""
        return self.output.with_name(f"{self.output.name}.training")

    @property
    def is_finished(self) -> bool:
        """Whether the output holds a trained adapter."""
        return (self.output / FINISHED).is_file()

    def check(self, *, resume: bool) -> None:
        """Refuses places that hold anything else.

        Raises:
            QPeftError: If the output is taken, its parent is missing, or an unfinished run is there and `resume` is
                not asked for.
        """
        if not self.output.absolute().parent.is_dir():
            raise QPeftError(f"cannot write {self.output}: the folder {self.output.parent} does not exist.")
        if self.output.exists() and not (self.output.is_dir() and not any(self.output.iterdir())):
            what = "another run's adapter" if self.is_finished else "something else"
            raise QPeftError(f"{self.output} holds {what} already: choose another output folder.")
        if self.folder.exists() and not resume:
            raise QPeftError(
                f"{self.folder} holds an unfinished run: go on with it (--resume), delete it, or choose another output."
            )

    def open(self, settings: dict[str, Any]) -> None:
        """Makes the folder of the run, or checks that the run in it has the same settings.

        Raises:
            QPeftError: If a setting differs; it is named.
        """
        file = self.folder / "settings.json"
        if file.is_file():
            before = parse_json(read_whole(file), file)
            now = json.loads(json.dumps(settings))
            differing = next((name for name in now if before.get(name) != now[name]), None)
            if differing is not None:
                raise QPeftError(
                    f"the unfinished run in {self.folder} has another {differing}: "
                    f"{_differences(before.get(differing), now[differing])}; "
                    "resume with the same settings and files, or choose another output."
                )
        self.folder.mkdir(exist_ok=True)
        with atomic_write(file) as written:
            written.write(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")

    def finish(self, made: Path) -> None:
        """Moves the whole adapter folder to its place and removes what is left of the run."""
        if self.output.is_dir():
            self.output.rmdir()
        made.rename(self.output)
        shutil.rmtree(self.folder, ignore_errors=True)


def mark_complete(folder: Path, step: int) -> None:
    """Marks the checkpoint of a step as whole: a process can be killed while it writes one."""
    (folder / f"checkpoint-{step}" / _COMPLETE).touch()


def last_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint of the greatest step, or None."""
    steps = [
        (int(match[1]), place)
        for place in folder.glob("checkpoint-*")
        if (match := _STEP.search(place.name)) and (place / _COMPLETE).is_file()
    ]
    return max(steps)[1] if steps else None


def remove_incomplete(folder: Path) -> None:
    """Removes checkpoints that were not written to their end."""
    for place in folder.glob("checkpoint-*"):
        if not (place / _COMPLETE).is_file():
            shutil.rmtree(place)


def _differences(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        return ", ".join(
            f"{name} was {before.get(name)!r} and is {now[name]!r}" for name in now if before.get(name) != now[name]
        )
    return f"it was {before!r} and is {now!r}"
