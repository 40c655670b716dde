"""`qpeft demo`: search the documentation of the standard library, and rerank the hits."""

import argparse
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.demo.collection import DemoCollection
    from pyserini_qpeft.demo.stages import Stages
    from pyserini_qpeft.reranking.reranker import QPeftReranker

HELP = "index the documentation of this Python, search it for shipped questions, and rerank the hits"

_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    from pyserini_qpeft.cli.reranking import add_model_options

    parser.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="FOLDER",
        help="folder for collection, index and runs (default: demo-output); an index in it is used again",
    )
    parser.add_argument(
        "--questions", type=int, default=70, metavar="INT", help="how many of the shipped questions (default: 70)"
    )
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    add_model_options(parser.add_argument_group("model"))
    parser.set_defaults(passage_tokens=128)


def run(args: argparse.Namespace) -> None:
    """Run all steps, and print the results."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.reranking import load_reranker, read_model_config
    from pyserini_qpeft.demo.collection import write_collection
    from pyserini_qpeft.demo.stages import open_index, rank_in_stages
    from pyserini_qpeft.errors import QPeftError
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.scoring.config import ScoringConfig

    if args.questions < 1:
        raise QPeftError(f"--questions must be at least 1, not {args.questions}.")
    steps = _Steps(quiet=args.quiet)
    collection = write_collection(args.output / "collection", args.questions)
    steps.step(f"documentation of Python {sys.version.split()[0]}: {collection.documents:,} public names")
    searcher, built = open_index(collection, args.output / "index")
    steps.step("Lucene index built" if built else "existing Lucene index opened")
    config = RerankConfig(scoring=read_options(ScoringConfig, args), progress=not args.quiet)
    reranker = load_reranker(read_model_config(args), config, quiet=True)
    steps.step("model and adapter loaded")
    stages = rank_in_stages(searcher, collection.topics, reranker)
    steps.step(f"{len(collection.topics)} questions searched and reranked")
    _show(collection, stages, reranker)
    _write(stages, args.output / "runs")


class _Steps:
    """Prints each step that is done, and its time, to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._since = time.perf_counter()

    def step(self, done: str) -> None:
        now = time.perf_counter()
        if not self._quiet:
            print(f"[{now - self._since:5.1f} s] {done}", file=sys.stderr)
        self._since = now


def _show(collection: "DemoCollection", stages: "Stages", reranker: "QPeftReranker") -> None:
    from pyserini_qpeft.demo import page
    from pyserini_qpeft.demo.stages import measure

    # The encoding of the terminal may lack the marks, or letters of hints.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    report = reranker.last_report
    speed = f"{report.passages:,} passages in {report.seconds:.1f} s: {report.passages_per_second:.0f} passages/s"
    cut = f"{report.passages_cut:,} of them cut at {reranker.config.scoring.passage_tokens} tokens"
    for before, after in list(zip(stages.first_stage, stages.fused, strict=True))[:_SHOWN]:
        hints = reranker.hints(after.query, [hit.text or "" for hit in after.hits[: page.ROWS]])
        print(page.side_by_side(before, after, hints, collection.qrels[before.qid]), end="\n\n")
    print(page.legend(), end="\n\n")
    print(f"{len(collection.topics)} questions, the top 100 of BM25 reranked")
    print(page.measures_table(measure(stages.named(), collection.qrels)), end="\n\n")
    print(f"{speed} ({cut})")
    if collection.missing:
        print(f"{len(collection.missing)} judged names are not in this Python: {', '.join(collection.missing)}")


def _write(stages: "Stages", folder: Path) -> None:
    from pyserini_qpeft.data.runs import write_run

    folder.mkdir(exist_ok=True)
    for name, lists in stages.named().items():
        write_run(folder / f"{name.lower()}.trec", lists, tag=name)
    print(f"runs: {', '.join(str(path) for path in sorted(folder.glob('*.trec')))}")
