"""The options and the calls by which `search` and `rerank` write a run: reranked, or as the first stage gave it."""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.cli.options import add_options, one_of, read_options
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.records import RankedList, Run, Topics
from pyserini_qpeft.data.run_formats import run_formats
from pyserini_qpeft.data.runs import formatter, header_of
from pyserini_qpeft.errors import QPeftError, counted

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker
    from pyserini_qpeft.reranking.rerank_run import Engine, RunConfig
    from pyserini_qpeft.scoring.report import ScoringReport


def add_output_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that say what is written, and where."""
    from pyserini_qpeft.reranking.rerank_run import RunConfig

    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="run to write; .gz is gzipped")
    parser.add_argument(
        "--output-format",
        dest="format",
        default="trec",
        help="format of the run; csv has a line for each hit, with both scores; jsonl has a line for each query, with "
        "texts and hints too (default: trec)",
        **one_of(tuple(run_formats()), {"json": "jsonl"}),
    )
    add_options(parser, RunConfig, ("tag", "seconds", "restart"))
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")


def read_run_config(args: argparse.Namespace) -> "RunConfig":
    """What is written, and where, checked before anything that takes time.

    Raises:
        QPeftError: The output is a folder, or its folder does not exist; the tag is not one word; or the format has no
            place for seconds.
    """
    from pyserini_qpeft.reranking.rerank_run import RunConfig

    if args.output.is_dir():  # so is an empty name
        raise QPeftError(f"cannot write {args.output}: it is a folder, name a file in it.")
    if not args.output.parent.is_dir():
        raise QPeftError(f"cannot write {args.output}: the folder {args.output.parent} does not exist.")
    if getattr(args, "seconds", False) and args.format != "jsonl":
        raise QPeftError(f"--seconds has no effect on a run in the format {args.format}: add --output-format jsonl.")
    return read_options(RunConfig, args, progress=not args.quiet)


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What a first stage found, and what is needed to rerank it.

    Attributes:
        run: Hits by qid.
        topics: Queries by qid.
        texts: Gives the texts of hits that have none; None if all hits have theirs.
    """

    run: Run
    topics: Topics
    texts: TextSource | None


def write_first_stage(found: FirstStage, config: "RunConfig") -> None:
    """Write a run in the first stage's order, with its scores; JSONL has the texts too."""
    lines = formatter(config.format, config.tag)
    with atomic_write(config.output) as file:
        file.write(header_of(config.format))
        for qid, hits in found.run.items():
            listed = first_stage_hits(hits)
            if config.format == "jsonl" and found.texts is not None:
                listed = [replace(hit, text=found.texts(hit.docid)) for hit in listed]
            file.write(lines(RankedList(qid, found.topics[qid], listed)))


def write_reranked(
    found: FirstStage, config: "RunConfig", reranker: "Reranker", engine: "Engine | None" = None
) -> None:
    """Rerank a run, write it, and print what was done."""
    from pyserini_qpeft.reranking.rerank_run import rerank_run

    report = rerank_run(found.run, found.topics, config, reranker, corpus=found.texts, engine=engine)
    print(f"{config.output}: {counted(report.queries, 'query')}, {_counts(report.scoring)}", file=sys.stderr)
    for place, stage in enumerate(report.scoring.stages, start=1):
        print(f"  stage {place}: {_counts(stage)}", file=sys.stderr)


def _counts(scoring: "ScoringReport") -> str:
    cut = ""
    if scoring.passages_cut:
        lost = counted(scoring.tokens_cut, "token")
        cut = f", {scoring.passages_cut:,} of them cut to the passage limit ({lost} lost)"
    windows = f" in {counted(scoring.windows, 'window')}" if scoring.windows else ""
    return (
        f"{counted(scoring.passages, 'passage')}{windows}{cut}, {scoring.seconds:.1f} s, "
        f"{scoring.passages_per_second:.1f} passages/s"
    )
