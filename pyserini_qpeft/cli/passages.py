"""The options for runs of passages: `--passages-from` folds them into documents, `--unfold` unfolds the result."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import Run
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.config import RerankConfig


def add_passage_options(parser: argparse._ActionsContainer) -> None:
    """Add the options for a run of passages."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.reranking.rerank_run import RunConfig

    parser.add_argument(
        "--passages-from",
        type=Path,
        metavar="FILE",
        help="run of passages with docids such as doc#3: its documents are ranked, and their passages in this run are "
        "their windows. With --run, the documents are those of --run",
    )
    add_options(parser, RunConfig, ("unfold",))


def read_hits(args: argparse.Namespace) -> tuple[Path, Run]:
    """The hits that the options name, and the file that they are from.

    Raises:
        QPeftError: No run is named, or passages are to be unfolded and there are none.
    """
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.windows.passage_run import FoldedRun

    source = args.run or args.passages_from
    if source is None:
        raise QPeftError("there is nothing to rerank: name a run with --run or --passages-from.")
    if args.passages_from is None:
        if getattr(args, "unfold", False):
            raise QPeftError("--unfold has no effect without --passages-from.")
        return source, read_run(source)
    documents = None if args.run is None else read_run(args.run)
    return source, FoldedRun(read_run(args.passages_from), documents)


def with_windows(config: "RerankConfig", args: argparse.Namespace) -> "RerankConfig":
    """The configuration, with windows if the documents are given as passages.

    Raises:
        QPeftError: The options turn windows off, and the documents are given as passages.
    """
    from pyserini_qpeft.windows.config import WindowConfig

    if args.passages_from is None or config.windows is not None:
        return config
    if args.windows == "none":
        raise QPeftError("the passages of --passages-from are scored as windows: leave out --windows none.")
    return replace(config, windows=WindowConfig())
