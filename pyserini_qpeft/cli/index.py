"""`qpeft index`: a Lucene index of a corpus."""

import argparse
import sys
from pathlib import Path

NAME = "index"
HELP = "build a Lucene index of a BEIR folder or a JSONL corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--corpus", required=True, type=Path, metavar="PATH", help="BEIR folder, or .jsonl[.gz] file")
    parser.add_argument("--index", required=True, type=Path, metavar="FOLDER", help="folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace an index that is there already")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the verb writes, by option."""
    return {"index": [args.index]}


def run(args: argparse.Namespace) -> None:
    """Build the index and say what came of it."""
    from pyserini_qpeft.lucene import build_index

    report = build_index(args.corpus, args.index, overwrite=args.overwrite, progress=not args.quiet)
    empty = f", {report.empty} of them with no word to search for" if report.empty else ""
    print(f"{args.index}: {report.documents} documents{empty}, {report.seconds:.1f} s", file=sys.stderr)
