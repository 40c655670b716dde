"""One command of an experiment: run once, kept under a fingerprint of all that it depends on, and reused."""

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

RunVerb = Callable[[Sequence[str]], int]
"""Runs one command line of `qpeft`, without the program's name, and gives its exit code."""


@dataclass(frozen=True)
class Step:
    """A verb of `qpeft` with its options, its output named by a hash of them and of the files they name.

    Attributes:
        verb: such as `rerank`.
        options: without the output; what a step needs must be there before its output's name is asked for.
        place: where the output goes, before the hash is put into its name.
        output_option: name of the option that takes it.
    """

    verb: str
    options: Options
    place: Path
    output_option: str = "output"

    @cached_property
    def output(self) -> Path:
        """The file or folder that the step makes."""
        return self.place.with_name(f"{self.place.stem}-{self._fingerprint()}{self.place.suffix}")

    @property
    def arguments(self) -> list[str]:
        """The command line without the program's name."""
        return [self.verb, *_words({**self.options, self.output_option: self.output})]

    @property
    def command(self) -> str:
        """The command line as one types it."""
        return command_line(self.arguments)

    def make(self, run_verb: RunVerb) -> Path:
        """The output; the command is run unless it has been before.

        Raises:
            QPeftError: the command failed; it has said why.
        """
        record = _record_of(self.output)
        if record.is_file() and self.output.exists():
            _logger.info("kept: %s", self.command)
            return self.output
        self.output.parent.mkdir(parents=True, exist_ok=True)
        if run_verb(self.arguments) != 0:
            raise QPeftError(f"a step of the experiment failed: {self.command}")
        with atomic_write(record) as file:
            json.dump({"command": self.command, "version": __version__}, file)
        return self.output

    def _fingerprint(self) -> str:
        told = [__version__, self.verb]
        told += [f"{name}={[_content(one) for one in _each(value)]}" for name, value in sorted(self.options.items())]
        return hashlib.blake2b("\n".join(told).encode(), digest_size=4).hexdigest()


def command_line(arguments: Sequence[str]) -> str:
    """A call of `qpeft` as one types it."""
    return shlex.join(["qpeft", *arguments])


def slug(name: str) -> str:
    """A name as part of a file's name."""
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
