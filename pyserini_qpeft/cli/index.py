"""`qpeft index`: a Lucene index of a corpus."""

import argparse
import sys
from pathlib import Path

HELP = "build a Lucene index of a corpus: a BEIR folder or a file of JSON documents"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    from pyserini_qpeft.cli.texts import CORPUS

    parser.add_argument(
        "--corpus",
        required=True,
        type=Path,
        metavar="PATH",
        help=f"{CORPUS}, plain or gzipped",
    )
    parser.add_argument("--index", required=True, type=Path, metavar="FOLDER", help="folder to write the index to")
    parser.add_argument("--overwrite", action="store_true", help="replace the index if the folder holds one already")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the verb writes, by option."""
    return {"index": [args.index]}


def run(args: argparse.Namespace) -> None:
    """Builds the index and prints the counts."""
    from pyserini_qpeft.lucene import build_index

    report = build_index(args.corpus, args.index, overwrite=args.overwrite, progress=not args.quiet)
    empty = f", {report.empty} of them without a word that can be searched" if report.empty else ""
    print(f"{args.index}: {report.documents} documents{empty}, {report.seconds:.1f} s", file=sys.stderr)
