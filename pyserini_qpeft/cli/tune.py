"""`qpeft tune`: choose fusion weight and depth on dev queries."""

import argparse
from pathlib import Path

from pyserini_qpeft.cli.options import add_options, read_options

HELP = "choose fusion weight and depth on dev queries, for qpeft rerank --config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    from pyserini_qpeft.cli.qrels import add_qrels_options
    from pyserini_qpeft.evaluation.tune import TuneConfig

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
    add_qrels_options(parser, split="dev", queries=" of the dev queries, and of no others")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="configuration to write (JSON)")
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="folder for plots (PNG) of the measure by weight and by depth"
    )
    add_options(parser, TuneConfig)


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the verb writes, by option."""
    from pyserini_qpeft.cli.overwriting import plots_in

    return {"output": [args.output], "plots": plots_in(args.plots)}


def run(args: argparse.Namespace) -> None:
    """Search the grid, write the best configuration, and print it."""
    from pyserini_qpeft.cli.qrels import open_qrels
    from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
    from pyserini_qpeft.data.runs import read_run
    from pyserini_qpeft.errors import QPeftError
    from pyserini_qpeft.evaluation.sweep import from_ranked_lists, join_runs
    from pyserini_qpeft.evaluation.tune import TuneConfig, tune
    from pyserini_qpeft.reranking.config_file import write_rerank_config

    config = read_options(TuneConfig, args)
    if args.first_stage is None and not holds_ranked_lists(args.run):
        raise QPeftError(
            f"{args.run} does not hold the first stage's scores: name its run with --first-stage, or rerank with "
            "--output-format jsonl."
        )
    if args.first_stage is None:
        two_stages = from_ranked_lists(read_ranked_lists(args.run))
    else:
        two_stages = join_runs(read_run(args.first_stage), read_run(args.run))
    tuned = tune(two_stages, open_qrels(args.qrels, args.split), config)
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
    print(
        f"depth {tuned.config.depth}, weight {fusion.weight:g} ({fusion.method}): {tuned.measure} {tuned.value:.4f} "
        f"on {tuned.queries} dev queries, first stage {tuned.first_stage:.4f}; written to {args.output}"
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
