"""`qpeft models`: the models that have a name."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.models.record import ModelRecord

HELP = "list the models that have a name, and how to get them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: there are none."""
    from pyserini_qpeft.models.registry import user_file

    parser.epilog = f"Your own names go into {user_file()} (or the file that QPEFT_MODELS names); see docs/models.md."


def run(args: argparse.Namespace) -> None:
    """Print one line for each model."""
    from pyserini_qpeft.models.registry import models
    from pyserini_qpeft.models.source import availability

    rows = [
        (record.name, availability(record), record.licence, _size(record.megabytes), _about(record))
        for record in models().values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def _about(record: "ModelRecord") -> str:
    names = [f"{name} (default)" if name == record.default_adapter else name for name in record.adapters]
    return "; adapters: ".join(part for part in (record.about, ", ".join(names)) if part)


def _size(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:,.0f} MB"
