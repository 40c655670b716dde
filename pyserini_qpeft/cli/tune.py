"""`qpeft tune`: learn fusion weight, depth, windows, probabilities of relevance and a stopping rule on dev queries."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyserini_qpeft.adaptive.learning import StoppingConfig
    from pyserini_qpeft.data.records import Qrels, RankedList
    from pyserini_qpeft.evaluation.sweep import TwoStageRun
    from pyserini_qpeft.evaluation.tune import Tuned
    from pyserini_qpeft.reranking.fusion import FusionConfig

_SPLIT = "dev"
_WINDOWS = ("size", "stride", "title", "most")

HELP = "learn on dev queries: fusion weight and depth, probabilities of relevance, a rule for adaptive depth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.adaptive.learning import StoppingConfig
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.qrels import add_qrels_options
    from pyserini_qpeft.evaluation.tune import TuneConfig
    from pyserini_qpeft.windows.config import WindowConfig

    parser.add_argument(
        "--run",
        required=True,
        type=Path,
        metavar="FILE",
        help="reranked dev queries: JSONL written by qpeft rerank; or, with --first-stage, a TREC run written by "
        "qpeft rerank --fusion none",
    )
    parser.add_argument(
        "--first-stage", type=Path, metavar="FILE", help="the first stage's run, if --run does not hold its scores"
    )
    add_qrels_options(parser, split=_SPLIT, queries=" of the dev queries, and of no others")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write fusion weight, depth and windows, for qpeft rerank --config (JSON)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="fit probabilities of relevance to the likelihoods, and write them (JSON): calibration.json in the "
        "adapter's folder is found there by itself, any other file is named with qpeft rerank --calibration",
    )
    parser.add_argument(
        "--stopping",
        type=Path,
        metavar="FILE",
        help="learn when reading may stop at the chosen fusion weight, and write the rule, for qpeft rerank --adaptive "
        "FILE (JSON)",
    )
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="folder for plots (PNG) of the measure by weight and by depth"
    )
    parser.add_argument(
        "--windows",
        action="store_true",
        help="choose too how the likelihoods of a document's windows are combined; --run is JSONL of qpeft rerank "
        "--windows, and the options below are those that it was made with",
    )
    add_options(parser, WindowConfig, _WINDOWS, prefix="--window-")
    add_options(parser, TuneConfig)
    add_options(parser, StoppingConfig)


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    from pyserini_qpeft.cli.overwriting import plots_in

    named = {"output": args.output, "calibration": args.calibration, "stopping": args.stopping}
    return {**{option: [path] for option, path in named.items() if path is not None}, "plots": plots_in(args.plots)}


def run(args: argparse.Namespace) -> None:
    """Learn what is asked for, write it, and print it."""
    from pyserini_qpeft.adaptive.learning import StoppingConfig
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.qrels import open_qrels, split_in
    from pyserini_qpeft.evaluation.sweep import judged_only
    from pyserini_qpeft.evaluation.tune import TuneConfig, tune
    from pyserini_qpeft.evaluation.window_choice import tune_windows
    from pyserini_qpeft.windows.config import WindowConfig

    if args.output is None and args.calibration is None and args.stopping is None:
        raise QPeftError("nothing to write: name a file with --output, --calibration or --stopping.")
    if args.plots is not None and args.output is None:
        raise QPeftError("--plots draws the choice of fusion weight and depth: name a file for them with --output.")
    if args.windows and (args.first_stage is not None or args.calibration is not None):
        raise QPeftError(
            "--windows chooses from the windows of a JSONL run: leave out --first-stage, and fit --calibration to a "
            "run with the chosen windows."
        )
    for options, needed in ((StoppingConfig, [args.stopping]), (TuneConfig, [args.output, args.stopping])):
        names = [one.name for one in fields(options) if one.name in args]  # type: ignore[arg-type]
        if names and not any(needed):
            where = "--output or --stopping" if len(needed) > 1 else "--stopping"
            raise QPeftError(f"--{names[0].replace('_', '-')} has no effect without {where}.")
    if not args.windows and (given := next((name for name in _WINDOWS if name in args), None)):
        raise QPeftError(f"the {given} of windows has no effect without them: add --windows.")
    config, stopping = read_options(TuneConfig, args), read_options(StoppingConfig, args)
    qrels = open_qrels(args.qrels, split_in(args.qrels, args.split, _SPLIT))
    if args.output is not None or args.stopping is not None:
        if args.windows:
            tuned, dev = tune_windows(_read_lists(args), qrels, read_options(WindowConfig, args), config)
        else:
            dev = _read_run(args)
            tuned = tune(dev, qrels, config)
        if args.output is not None:
            _write_tuned(tuned, args)
        if args.stopping is not None:
            _learn_rule(judged_only(dev, qrels), tuned.config.fusion, stopping, args.stopping)
    if args.calibration is not None:
        _calibrate(args.run, qrels, args.calibration)


def _read_run(args: argparse.Namespace) -> "TwoStageRun":
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.evaluation.sweep import from_ranked_lists, join_runs

    if args.first_stage is not None:
        return join_runs(read_run(args.first_stage), read_run(args.run))
    return from_ranked_lists(_read_lists(args))


def _read_lists(args: argparse.Namespace) -> "Collection[RankedList]":
    from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists

    if not holds_ranked_lists(args.run):
        raise QPeftError(
            f"{args.run} does not hold the first stage's scores: name its run with --first-stage, or rerank with "
            "--output-format jsonl."
        )
    return read_ranked_lists(args.run)


def _calibrate(run: Path, qrels: "Qrels", output: Path) -> None:
    from pyserini_qpeft.data.number_files import write_numbers
    from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
    from pyserini_qpeft.evaluation.tune import calibrate

    if not holds_ranked_lists(run):
        raise QPeftError(
            f"--calibration needs --run as JSONL: rerank with --output-format jsonl. {run} is another format."
        )
    calibration = calibrate(read_ranked_lists(run), qrels)
    write_numbers(output, calibration)
    print(
        f"calibration: slope {calibration.slope:.4g}, intercept {calibration.intercept:.4g} on "
        f"{calibration.queries} dev queries with {calibration.relevant} relevant of {calibration.pairs} hits; "
        f"written to {output}"
    )


def _learn_rule(dev: "TwoStageRun", fusion: "FusionConfig | None", config: "StoppingConfig", output: Path) -> None:
    from pyserini_qpeft.adaptive.learning import ReadList, learn_rule
    from pyserini_qpeft.data.number_files import write_numbers
    from pyserini_qpeft.evaluation.sweep import reach

    depth = reach(dev)
    lists = [
        ReadList(
            [hit.first_stage_score for hit in hits[:depth]],
            [hit.likelihood for hit in hits[:depth] if hit.likelihood is not None],
        )
        for hits in dev.values()
    ]
    rule = learn_rule(lists, fusion, config)
    write_numbers(output, rule)
    total = sum(len(one.first_stage) for one in lists)
    read = sum(rule.read_depth(one.likelihoods, one.first_stage, fusion) for one in lists)
    print(
        f"stopping rule: reads {read / total:.0%} of {total} hits of {len(lists)} dev queries, where at most "
        f"{rule.loss:g} of the first {rule.k} hits change in the mean; written to {output}"
    )


def _write_tuned(tuned: "Tuned", args: argparse.Namespace) -> None:
    from pyserini_qpeft.reranking.config_file import write_rerank_config

    fusion = tuned.config.fusion
    assert fusion is not None
    assert fusion.weight is not None
    about = {
        "measure": tuned.measure,
        "value": round(tuned.value, 6),
        "first_stage": round(tuned.first_stage, 6),
        "queries": tuned.queries,
        "depths": tuned.by_depth.index.tolist(),
        "weights": tuned.by_weight.index.tolist(),
    }
    write_rerank_config(args.output, tuned.config, about)
    windows = "" if (chosen := tuned.config.windows) is None else f", windows {chosen}"
    print(
        f"depth {tuned.config.depth}, weight {fusion.weight:g} ({fusion.method}){windows}: {tuned.measure} "
        f"{tuned.value:.4f} on {tuned.queries} dev queries, first stage {tuned.first_stage:.4f}; written to "
        f"{args.output}"
    )
    if args.plots is not None:
        from pyserini_qpeft.evaluation.plots.depth import plot_depth
        from pyserini_qpeft.evaluation.plots.drawing import save_plot
        from pyserini_qpeft.evaluation.plots.fusion_weight import plot_fusion_weight

        args.plots.mkdir(parents=True, exist_ok=True)
        by_weight, by_depth = f"depth {tuned.config.depth}", f"weight {fusion.weight:g}"
        measure = f"{tuned.measure} (dev)"
        save_plot(
            plot_fusion_weight({by_weight: tuned.by_weight}, measure, {by_weight: fusion.weight}),
            args.plots / "fusion-weight.png",
        )
        save_plot(plot_depth({by_depth: tuned.by_depth}, measure, tuned.first_stage), args.plots / "depth.png")
