"""`qpeft models`: the models that have a name."""

import argparse

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
        (record.name, availability(record), record.licence, _size(record.megabytes), record.about)
        for record in models().values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def _size(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:,.0f} MB"
