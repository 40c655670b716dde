"""One command of an experiment; its output is kept and reused as long as options and input files are the same."""

import hashlib
import json
import logging
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pyserini_qpeft import __version__
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.fingerprint import file_fingerprint
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.spec import Options

_logger = logging.getLogger(__name__)

_ANY_PLACE = {"passage-cache-folder"}
"""Options whose value changes no output. The folder of an experiment can be moved because of this. Whether they are
given counts: behind cached passages, scores differ by rounding."""

RunCommand = Callable[[Sequence[str]], int]
"""Runs a command line of `qpeft`, given without the program's name, and returns the exit code."""


@dataclass(frozen=True)
class Step:
    """A command of `qpeft` with its options. The output's name has a hash of the options and of the input files.

    Attributes:
        name: The command, such as `rerank`.
        options: Options of the command without the output. The input files must exist before `output` is read.
        place: Path of the output, without the hash.
        output_option: Name of the option for the output.
    """

    name: str
    options: Options
    place: Path
    output_option: str = "output"

    @cached_property
    def output(self) -> Path:
        """The file or folder that the step writes."""
        return self.place.with_name(f"{self.place.stem}-{self._fingerprint()}{self.place.suffix}")

    @property
    def arguments(self) -> list[str]:
        """The command line without the program's name."""
        return [self.name, *_words({**self.options, self.output_option: self.output})]

    @property
    def command(self) -> str:
        """The command line as a user types it."""
        return command_line(self.arguments)

    def make(self, run_command: RunCommand) -> Path:
        """Return the output, after running the command if the output does not exist yet.

        Raises:
            QPeftError: The command failed; it has printed the reason.
        """
        record = _record_of(self.output)
        if record.is_file() and self.output.exists():
            _logger.info("reused: %s", self.command)
            return self.output
        self.output.parent.mkdir(parents=True, exist_ok=True)
        if run_command(self.arguments) != 0:
            raise QPeftError(f"a step of the experiment failed: {self.command}")
        with atomic_write(record) as file:
            json.dump({"command": self.command, "version": __version__}, file)
        return self.output

    def _fingerprint(self) -> str:
        parts = [__version__, self.name]
        parts += [
            name if name in _ANY_PLACE else f"{name}={[_content(one) for one in _each(value)]}"
            for name, value in sorted(self.options.items())
        ]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=4).hexdigest()


def command_line(arguments: Sequence[str]) -> str:
    """Return a call of `qpeft` as a user types it."""
    return shlex.join(["qpeft", *arguments])


def slug(name: str) -> str:
    """Return a name in a form that can be part of a file name."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-") or "unnamed"


def _words(options: Options) -> Iterable[str]:
    for name, value in options.items():
        if value is True:
            yield f"--{name}"
        elif value is not False and value is not None:
            yield f"--{name}"
            yield from map(str, _each(value))


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _content(value: Any) -> str:
    if not isinstance(value, Path):
        return repr(value)
    if _record_of(value).is_file():
        return value.name
    if value.is_dir():
        files = sorted(file for file in value.rglob("*") if file.is_file())
        return str([(str(file.relative_to(value)), file_fingerprint(file)) for file in files])
    return file_fingerprint(value)


def _record_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.made.json")
