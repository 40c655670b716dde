"""Chains on development queries: the choice of the fusion weight of a second stage, and every chain at that weight.

    python -m recipes.fusion_weight --data ../shared/data --work SMALL --model tiny
    python -m recipes.fusion_weight --data ../shared/data --work LARGE --model smollm2-135m-q4 --adapter none
    python -m benchmarks.cascades.development --small SMALL --large LARGE --work WORK --output docs/images/cascades.png

The first two commands score 20 hits of each of 330 development queries, with each model. With `--queries 50 --depth 50`
they score 50 hits of 150 queries; this command has the option `--depth` too. WORK is the folder of
`benchmarks.cascades.score`, which has measured the seconds per token of each model.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.cascades.chains import Scored, Stage, chains, measure, over_all, with_margin
from benchmarks.cascades.lists import queries_of, seconds_per_token
from benchmarks.cascades.plot import draw, table
from benchmarks.cascades.score import LARGE, SMALL
from benchmarks.quiet import quiet
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.reranking.fusion import FusionConfig
from recipes.fusion_weight import COLLECTIONS

SECOND_DEPTHS = (3, 5, 8, 10)
WEIGHTS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
CHOICE_OF_MARGINS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def main() -> None:
    """Prints both tables, and draws the chains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=Path, required=True, help="runs of the small model")
    parser.add_argument("--large", type=Path, required=True, help="runs of the large model")
    parser.add_argument("--work", type=Path, required=True, help="folder of benchmarks.cascades.score")
    parser.add_argument("--depth", type=int, default=20, help="hits that both models have scored (default: 20)")
    parser.add_argument("--output", type=Path, help="the plot (.png, .svg)")
    args = parser.parse_args()
    quiet()
    seconds = seconds_per_token(args.work)
    folders = {SMALL: args.small, LARGE: args.large}
    collections = []
    for name in COLLECTIONS:
        queries = queries_of({model: folder / name / "reranked.jsonl" for model, folder in folders.items()})
        collections.append(Scored(name, queries, read_qrels(args.large / name / "qrels.tsv"), seconds))
    print(weights_table(collections, args.depth), end="\n\n")
    print(margins_table(collections, args.depth), end="\n\n")
    measured = {one.name: [measure(chain, one) for chain in chains(args.depth)] for one in collections}
    print(table({**measured, "all": over_all(measured)}))
    if args.output is not None:
        draw(measured, args.output)


def weights_table(collections: Sequence[Scored], depth: int) -> str:
    """nDCG@10 for each depth and weight of the second stage, as Markdown."""
    first = Stage(SMALL, depth, FusionConfig().for_model(SMALL).weight or 0.0)
    lines = [
        f"| {first}, then SmolLM2 | weight | {' | '.join(one.name for one in collections)} | mean |",
        f"| --: | --: |{' --: |' * (len(collections) + 1)}",
    ]
    for depth in SECOND_DEPTHS:
        for weight in WEIGHTS:
            means = [measure((first, Stage(LARGE, depth, weight)), one).mean for one in collections]
            lines.append(f"| {depth} | {weight} | {' | '.join(f'{mean:.4f}' for mean in [*means, fmean(means)])} |")
    return "\n".join(lines)


def margins_table(collections: Sequence[Scored], depth: int) -> str:
    """What each margin and weight of the second stage loses against the full model, and its time, as Markdown."""
    first = Stage(SMALL, depth, FusionConfig().for_model(SMALL).weight or 0.0)
    full = [measure((Stage(LARGE, depth, FusionConfig().for_model(LARGE).weight or 0.0),), one) for one in collections]
    lines = [
        f"| {first}, then SmolLM2 within | weight | nDCG@10 | less than full | time / full |",
        "| --: | --: | --: | --: | --: |",
    ]
    for margin in CHOICE_OF_MARGINS:
        for weight in WEIGHTS:
            points = [measure((first, with_margin(margin, weight)), one) for one in collections]
            mean, loss = (fmean(point.mean for point in some) for some in (points, full))
            time = fmean(point.seconds for point in points) / fmean(point.seconds for point in full)
            lines.append(f"| {margin:g} | {weight} | {mean:.4f} | {loss - mean:+.4f} | {time:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
