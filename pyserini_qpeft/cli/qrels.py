"""Opens the qrels that a command names: a file, a BEIR folder, or a name that Pyserini knows."""

import argparse
from pathlib import Path

from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.errors import QPeftError


def add_qrels_options(parser: argparse._ActionsContainer, *, split: str, queries: str = "") -> None:
    """Adds the options that name the qrels.

    Args:
        parser: The parser or a group of it.
        split: The default split of a BEIR folder.
        queries: Which queries the qrels must be of, for the help.
    """
    parser.add_argument(
        "--qrels",
        required=True,
        metavar="NAME",
        help=f"qrels{queries}: a TREC or BEIR file, a BEIR folder (see --split), or a name that Pyserini or "
        "ir_datasets knows (dl19-passage, irds:beir/scifact/test)",
    )
    parser.add_argument("--split", help=f"split of the BEIR folder (default: {split})")


def split_in(place: str, given: str | None, default: str) -> str:
    """The split of a BEIR folder.

    Args:
        place: What the user names as the folder.
        given: The split that the user names; None is the default.
        default: The default.

    Raises:
        QPeftError: A split is given, and the place is no folder.
    """
    if given is not None and not Path(place).is_dir():
        raise QPeftError(f"--split chooses among the splits of a BEIR folder, and {place} is no folder: leave it out.")
    return default if given is None else given


def open_qrels(name: str, split: str) -> Qrels:
    """Reads the qrels of a file, of a split of a BEIR folder, or of a name that Pyserini knows."""
    from pyserini_qpeft.data.beir import BeirFolder
    from pyserini_qpeft.data.irds import is_irds
    from pyserini_qpeft.data.qrels import read_qrels

    path = Path(name)
    if path.is_dir():
        return read_qrels(BeirFolder(path).qrels(split))
    if not is_irds(name) and not path.exists() and path.parent == Path() and not path.suffix:
        from pyserini_qpeft.lucene.qrels import named_qrels_file

        path = named_qrels_file(name)
    return read_qrels(path)
