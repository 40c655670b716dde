"""The options for runs of passages: `--passages-from` folds them into documents, `--unfold` unfolds the result."""

import argparse
from pathlib import Path

from pyserini_qpeft.data.records import Run
from pyserini_qpeft.errors import QPeftError


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
        QPeftError: No run is named, no docid of the run of passages is that of a passage, or passages are to be
            unfolded and there are none.
    """
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.windows.passage_run import SEPARATOR, FoldedRun

    source = args.run or args.passages_from
    if source is None:
        raise QPeftError("there is nothing to rerank: name a run with --run or --passages-from.")
    if args.passages_from is None:
        if getattr(args, "unfold", False):
            raise QPeftError("--unfold has no effect without --passages-from.")
        return source, read_run(source)
    passages = read_run(args.passages_from)
    if not any(SEPARATOR in hit.docid for hits in passages.values() for hit in hits):
        raise QPeftError(
            f"{args.passages_from} has no passages, whose docids are like doc{SEPARATOR}3: a run of documents is named "
            "with --run."
        )
    documents = None if args.run is None else read_run(args.run)
    return source, FoldedRun(passages, documents)
