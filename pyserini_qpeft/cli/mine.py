"""`qpeft mine`: training examples from queries with qrels and the hits of a first stage."""

import argparse
import sys
from pathlib import Path

HELP = "write training examples from a BEIR folder, with hard negatives from an index or a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.training.mining import MiningConfig

    parser.add_argument("--collection", required=True, type=Path, metavar="FOLDER", help="BEIR folder")
    parser.add_argument("--split", default="train", help="split whose qrels are used (default: train)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--index", metavar="NAME", help="Lucene index of the collection; the negatives are BM25 hits")
    source.add_argument("--run", type=Path, metavar="FILE", help="run of a first stage; the negatives are its hits")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="file to write, in DPR's JSON; gzipped if the name ends in .gz",
    )
    add_options(parser, MiningConfig)


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"output": [args.output]}


def run(args: argparse.Namespace) -> None:
    """Mines the examples and prints the counts."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.data.dpr import write_examples
    from pyserini_qpeft.data.outputs import only_writer
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.errors import QPeftError, counted
    from pyserini_qpeft.training.mining import Miner, MiningConfig, from_index, from_run

    with only_writer(args.output):
        if args.output.exists():
            raise QPeftError(f"{args.output} exists already: choose another name.")
        miner = Miner(args.collection, args.split, read_options(MiningConfig, args))
        first_stage = from_index(args.index) if args.run is None else from_run(read_run(args.run))
        write_examples(args.output, miner.examples(first_stage))
    report = miner.report
    print(
        f"{args.output}: {counted(report.queries, 'query')}, {counted(report.negatives, 'hard negative')}; "
        f"{counted(report.without_positives, 'query')} left out because no positive is in the corpus, "
        f"{counted(report.without_negatives, 'query')} without a negative",
        file=sys.stderr,
    )
