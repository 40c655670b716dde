"""Which files a command reads, so that its outputs replace none of them."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.outputs import refuse_overwriting_inputs
from pyserini_qpeft.errors import QPeftError

_NAMES = (
    *("topics", "index", "model", "adapter", "qrels", "runs", "encoder", "sparse_index", "passed_on"),
    *("cascade", "adaptive"),
)
"""Options that take a name or a path, and are therefore not parsed as paths."""


def check_outputs(outputs: Mapping[str, Iterable[Path]], args: argparse.Namespace) -> None:
    """Refuse a command that would write over one of its own inputs.

    Args:
        outputs: What each option that names an output lets the command write. Every path that another option names is
            an input.
        args: The parsed options.

    Raises:
        QPeftError: An output is also an input, or another output.
    """
    written = [path.resolve() for path in chain(*outputs.values())]
    written = [path for path in written if path.is_file() or not path.exists()]  # a device or pipe may be named twice
    if twice := next((path for place, path in enumerate(written) if path in written[:place]), None):
        raise QPeftError(f"{twice} is named as two outputs: give each a name of its own.")
    inputs = [path for name, value in vars(args).items() if name not in outputs for path in _paths(name, value)]
    refuse_overwriting_inputs(chain(*outputs.values()), inputs)


def plots_in(folder: Path | None) -> list[Path]:
    """The plots that are in a folder already, which new plots may replace.

    Raises:
        QPeftError: It is a file.
    """
    if folder is not None and folder.exists() and not folder.is_dir():
        raise QPeftError(f"cannot write plots to {folder}: it is a file, where a folder was expected.")
    return [] if folder is None else sorted(folder.glob("*.png"))


def _paths(name: str, value: Any) -> Iterator[Path]:
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, Path):
            yield one
        elif isinstance(one, str) and one and name in _NAMES:  # --adaptive without a file is ""
            yield Path(one)
            if "=" in one:  # NAME=FILE
                yield Path(one.partition("=")[2])
