"""What every table needs to know of the run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.options import Options
from benchmarks.texts import TextSet


@dataclass(frozen=True, slots=True)
class Context:
    """A run of the benchmarks.

    Attributes:
        options: What the command line asked for.
        texts: What is scored.
        work: A folder for models, gone when the run is over.
        tell: Is told how the run gets on.
    """

    options: Options
    texts: TextSet
    work: Path
    tell: Callable[[str], None]
