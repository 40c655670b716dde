"""Compares cut documents with their windows, by nDCG@10 and by the tokens that are read.

    python -m recipes.long_documents --data ../shared/data --work WORK --model smollm2-135m-q4

BM25's first hits for the queries of both splits are reranked once for each way of cutting. The combinations of windows
are computed afterwards, from the likelihoods of the windows, and so is the fusion with BM25. Weight and combination are
chosen on the development queries, and compared with the cut documents on the test queries. Finished runs in WORK are
used again.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.evaluation.significance import Difference, SignificanceConfig, paired_difference
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.windows.config import WindowConfig
from recipes.long_documents.choices import COMBINATIONS, Values, best_on_average, ndcg
from recipes.long_documents.collections import make
from recipes.long_documents.runs import CUTS, CutRun, first_stage, rerank

SPLITS = ("dev", "test")
WEIGHTS = tuple(tenth / 10 for tenth in range(11))

Ranking = Literal["alone", "fused"]

Names = tuple[str, str]
"""How documents are cut, and how windows are combined."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of cutting and combining gives.

    Attributes:
        alone: nDCG@10 of each query by the likelihood alone, by split.
        fused: The same, fused with BM25 by `weight`.
        weight: The weight of the likelihood that is best on the development queries.
    """

    alone: dict[str, npt.NDArray[np.float64]]
    fused: dict[str, npt.NDArray[np.float64]]
    weight: float


def rows(runs: Mapping[str, CutRun], folder: BeirFolder) -> dict[Names, Row]:
    """A row for each way of cutting and combining."""
    qrels = {split: read_qrels(folder.qrels(split)) for split in SPLITS}
    found: dict[Names, Row] = {}
    for cut, run in runs.items():
        for name, windows in COMBINATIONS.items() if CUTS[cut] is not None else [("", None)]:

            def value(split: str, weight: float, run: CutRun = run, windows: WindowConfig | None = windows) -> Values:
                return ndcg(run.lists, qrels[split], windows, FusionConfig(weight=weight))

            weight = best_on_average({weight: value("dev", weight) for weight in WEIGHTS})
            alone, fused = ({split: value(split, one) for split in SPLITS} for one in (1.0, weight))
            found[cut, name] = Row(alone, fused, weight)
    return found


def table(found: Mapping[Names, Row], runs: Mapping[str, CutRun], folder: BeirFolder) -> list[str]:
    """The table, a line for each row, with BM25 first."""
    bm25 = [
        ndcg(next(iter(runs.values())).lists, read_qrels(folder.qrels(split)), None, FusionConfig(weight=0.0))
        for split in SPLITS
    ]
    heads = ["documents", "combined by", "windows", "tokens per query"]
    heads += [*(f"likelihood, {split}" for split in SPLITS), "weight", *(f"fused, {split}" for split in SPLITS)]
    first = ["BM25", "", "", "", "", "", "", *(f"{values.mean():.3f}" for values in bm25)]
    lines = [heads, ["---"] * len(heads), first]
    for (cut, name), row in found.items():
        alone, fused = ([f"{values[split].mean():.3f}" for split in SPLITS] for values in (row.alone, row.fused))
        cost = [f"{runs[cut].windows:.1f}", f"{runs[cut].tokens:,.0f}"]
        lines.append([cut, name, *cost, *alone, f"{row.weight:g}", *fused])
    return [f"| {' | '.join(line)} |" for line in lines]


def compared(found: Mapping[Names, Row], ranking: Ranking) -> Difference:
    """The way of cutting and combining that is best on the development queries, against cut documents on test."""
    values = {names: getattr(row, ranking) for names, row in found.items()}
    chosen = best_on_average({names: one["dev"] for names, one in values.items() if names[1]})
    return paired_difference(
        (" ".join(chosen), "cut"),
        "nDCG@10",
        values[chosen]["test"],
        values["cut", ""]["test"],
        SignificanceConfig(tests=("randomization",)),
    )


def sentence(ranking: str, found: Difference) -> str:
    """What the comparison found."""
    return (
        f"{ranking}: {found.run} is best on the development queries; on test against cut documents {found.effect:+.3f} "
        f"nDCG@10 (95% interval {found.low:+.3f} to {found.high:+.3f}, p = {found.p['randomization']:.4f}; "
        f"{found.wins} better, {found.losses} worse, {found.ties} equal)"
    )


def main() -> None:
    """Makes the collection, reranks, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the source collections")
    parser.add_argument("--work", type=Path, required=True, help="folder for the collection, the index and the runs")
    parser.add_argument("--model", help="name of the model (default: the shipped one)")
    parser.add_argument("--dtype", help="float32 or bfloat16 (default: chosen for the device)")
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=list(CUTS)[:2], help="ways of cutting to compare")
    parser.add_argument("--documents", type=int, default=60, help="documents of the collection (default: 60)")
    parser.add_argument("--dev", type=int, default=30, help="development queries (default: 30)")
    parser.add_argument("--test", type=int, default=50, help="test queries (default: 50)")
    parser.add_argument("--depth", type=int, default=10, help="hits that are reranked (default: 10)")
    args = parser.parse_args()
    folder = BeirFolder(args.work / "collection")
    if not folder.folder.exists():
        make(BeirFolder(args.data / "nfcorpus"), folder.folder, args.documents, {"dev": args.dev, "test": args.test})
    run = first_stage(folder, args.work, args.depth)
    model = ModelConfig(model=args.model, dtype=args.dtype, adapter="none" if args.model else None)
    runs = {cut: rerank(folder, run, cut, model) for cut in dict.fromkeys(["cut", *args.cuts])}
    found = rows(runs, folder)
    print("\n".join(table(found, runs, folder)))
    for ranking in get_args(Ranking):
        print(f"\n{sentence(ranking, compared(found, ranking))}")


if __name__ == "__main__":
    main()
