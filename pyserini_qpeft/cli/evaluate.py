"""`qpeft evaluate`: measures runs, with significance tests, tables, plots and a report."""

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pyserini_qpeft.data.records import Qrels, RankedList, Run
    from pyserini_qpeft.evaluation.comparison import Comparison
    from pyserini_qpeft.evaluation.latency import Latency
    from pyserini_qpeft.evaluation.reliability import Reliability

HELP = "measure runs: tables, significance tests, plots, a report in HTML"

_SPLIT = "test"
_SUFFIXES = (".txt", ".md", ".csv", ".json", ".tex", ".html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.qrels import add_qrels_options
    from pyserini_qpeft.cli.texts import CORPUS
    from pyserini_qpeft.evaluation.comparison import ComparisonConfig
    from pyserini_qpeft.evaluation.significance import SignificanceConfig

    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run files (TREC, MS MARCO or JSON), each as FILE or NAME=FILE",
    )
    add_qrels_options(parser, split=_SPLIT)
    add_options(parser, ComparisonConfig)
    add_options(parser.add_argument_group("significance"), SignificanceConfig)
    answers = parser.add_argument_group("answers (R@k and H@k)")
    answers.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="queries with their answers: JSON with answers or metadata.answers, or DPR's question file",
    )
    answers.add_argument("--corpus", type=Path, metavar="PATH", help=f"{CORPUS}, with the texts of the hits")
    answers.add_argument(
        "--answer-cutoffs",
        type=int,
        nargs="+",
        metavar="K",
        help="values of k (default: 5, 10, 15 … 50)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help=f"files to write; the ending of the name sets the format: {', '.join(_SUFFIXES)}",
    )
    output.add_argument("--plots", type=Path, metavar="FOLDER", help="folder for plots (PNG)")
    output.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="depth and fusion, as qpeft tune writes them; the plots mark the fusion weight",
    )


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    from pyserini_qpeft.cli.overwriting import plots_in

    return {"output": args.output, "plots": plots_in(args.plots)}


def run(args: argparse.Namespace) -> None:
    """Read the files, measure, print the tables, and write the output files."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.qrels import open_qrels, split_in
    from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.evaluation.comparison import ComparisonConfig, compare
    from pyserini_qpeft.evaluation.overlap import check_overlap
    from pyserini_qpeft.evaluation.significance import SignificanceConfig
    from pyserini_qpeft.evaluation.tables import notes, sections, to_text

    for path in args.output:
        if path.suffix not in _SUFFIXES:
            raise QPeftError(
                f"cannot write {path}: its name must end in one of {', '.join(_SUFFIXES)}."
                f"{did_you_mean(path.suffix, _SUFFIXES)}"
            )
        if not path.parent.is_dir():
            raise QPeftError(f"cannot write {path}: the folder {path.parent} does not exist")
    _refuse_without_effect(args)
    files = _name_runs(args.runs)
    qrels = open_qrels(args.qrels, split_in(args.qrels, args.split, _SPLIT))
    runs = {name: read_run(file) for name, file in files.items()}
    for name, file in files.items():
        check_overlap(runs[name], qrels, file, args.qrels)
    config = read_options(ComparisonConfig, args, significance=read_options(SignificanceConfig, args))
    lists = {name: read_ranked_lists(file) for name, file in files.items() if holds_ranked_lists(file)}
    comparison = replace(
        compare(runs, qrels, config),
        answers=_answers(runs, qrels, args),
        latency=_latency(lists),
        reliability=_reliability(lists, qrels),
    )
    print(to_text(sections(comparison), notes(comparison)), end="")
    _write(comparison, lists, qrels, args)


def _refuse_without_effect(args: argparse.Namespace) -> None:
    if args.answers is None:
        for option, value in (("corpus", args.corpus), ("answer-cutoffs", args.answer_cutoffs)):
            if value is not None:
                raise QPeftError(f"--{option} has no effect without --answers.")
    if args.answer_cutoffs is not None and min(args.answer_cutoffs) < 1:
        raise QPeftError(f"--answer-cutoffs must be 1 or more, and one is {min(args.answer_cutoffs)}.")
    if args.config is not None and not _draws_plots(args):
        raise QPeftError("--config marks its fusion weight in the plots: add --plots, or a report in HTML (--output).")


def _draws_plots(args: argparse.Namespace) -> bool:
    return args.plots is not None or any(path.suffix == ".html" for path in args.output)


def _name_runs(given: Sequence[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        file = Path(path) if equals and name and not Path(text).exists() else Path(text)
        if file == Path(text):
            name = _stem(file)
        if name in named:
            raise QPeftError(
                f"{named[name]} and {file} would both be called {name}: give one of them a name with NAME=FILE"
            )
        named[name] = file
    return named


def _stem(file: Path) -> str:
    name = file.name
    for suffix in (".gz", ".trec", ".txt", ".run", ".jsonl", ".json"):
        name = name.removesuffix(suffix)
    return name or file.name


def _answers(runs: "Mapping[str, Run]", qrels: "Qrels", args: argparse.Namespace) -> "dict[str, pd.DataFrame]":
    if args.answers is None:
        return {}
    if args.corpus is None:
        raise QPeftError("--answers needs the texts of the passages: give them with --corpus")
    from pyserini_qpeft.data.corpus import iter_documents
    from pyserini_qpeft.data.topics import read_answers
    from pyserini_qpeft.evaluation.answers import DEFAULT_CUTOFFS, score_answers, summarise_answers

    answers = {qid: accepted for qid, accepted in read_answers(args.answers).items() if qid in qrels}
    if not answers:
        raise QPeftError(f"{args.answers} has no answers to any judged query (looked for answers and metadata.answers)")
    wanted = {hit.docid for run in runs.values() for qid, hits in run.items() if qid in answers for hit in hits}
    # As in DPR, answers are not matched in titles.
    texts = {document.docid: document.text for document in iter_documents(args.corpus) if document.docid in wanted}
    cutoffs = args.answer_cutoffs or DEFAULT_CUTOFFS
    return {name: summarise_answers(score_answers(run, answers, texts.get, cutoffs)) for name, run in runs.items()}


def _latency(lists: "Mapping[str, Collection[RankedList]]") -> "dict[str, Latency]":
    from pyserini_qpeft.evaluation.latency import summarise_latency

    found = {}
    for name, ranked in lists.items():
        latency = summarise_latency({one.qid: one.seconds for one in ranked if one.seconds is not None})
        if latency is not None:
            found[name] = latency
    return found


def _reliability(lists: "Mapping[str, Collection[RankedList]]", qrels: "Qrels") -> "dict[str, Reliability]":
    from pyserini_qpeft.evaluation.reliability import judge_probabilities

    found = {name: judge_probabilities(ranked, qrels) for name, ranked in lists.items()}
    return {name: one for name, one in found.items() if one is not None}


def _write(
    comparison: "Comparison", lists: "Mapping[str, Collection[RankedList]]", qrels: "Qrels", args: argparse.Namespace
) -> None:
    from pyserini_qpeft.data.files import atomic_write
    from pyserini_qpeft.evaluation import tables
    from pyserini_qpeft.evaluation.exports import to_csv, to_json
    from pyserini_qpeft.evaluation.report import to_html

    figures = dict(_figures(comparison, lists, qrels, args.config)) if _draws_plots(args) else {}
    shown, notes = tables.sections(comparison), tables.notes(comparison)
    for path in args.output:
        match path.suffix:
            case ".csv":
                text = to_csv(comparison)
            case ".json":
                text = to_json(comparison)
            case ".html":
                title = f"{', '.join(comparison.scores)}: {comparison.measures[0]} and more"
                text = to_html(title, shown, notes, figures.items())
            case suffix:
                text = {".txt": tables.to_text, ".md": tables.to_markdown, ".tex": tables.to_latex}[suffix](
                    shown, notes
                )
        with atomic_write(path) as file:
            file.write(text)
    if args.plots is not None:
        from pyserini_qpeft.evaluation.plots.drawing import save_plot

        args.plots.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            save_plot(figure, args.plots / f"{name}.png")


def _figures(
    comparison: "Comparison", lists: "Mapping[str, Collection[RankedList]]", qrels: "Qrels", config: Path | None
) -> "Iterator[tuple[str, Figure]]":
    from pyserini_qpeft.evaluation.figures import evaluation_figures
    from pyserini_qpeft.evaluation.plots.evaluation import Evaluation
    from pyserini_qpeft.evaluation.sweep import two_stage_runs
    from pyserini_qpeft.reranking.config_file import read_rerank_config

    chosen = None if config is None else read_rerank_config(config)
    return evaluation_figures(Evaluation(comparison, two_stage_runs(lists, qrels), qrels, chosen))
