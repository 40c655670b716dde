"""Compares cut documents with their windows, by nDCG@10 and by the tokens that are read.

    python -m recipes.long_documents --data ../shared/data --work WORK --model smollm2-135m-q4

BM25's first hits for the queries of both splits are reranked once for each way of cutting. The combinations of windows
are computed afterwards, from the likelihoods of the windows. The best combination is chosen on the development queries,
and compared with the cut documents on the test queries. Finished runs in WORK are used again.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.evaluation.significance import Difference, SignificanceConfig, paired_difference
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.registry import fusion_weight
from pyserini_qpeft.reranking.fusion import FusionConfig
from recipes.long_documents.choices import COMBINATIONS, best_combination, ndcg
from recipes.long_documents.collections import make
from recipes.long_documents.runs import CUTS, CutRun, first_stage, rerank

SPLITS = ("dev", "test")

Values = dict[tuple[str, str], npt.NDArray[np.float64]]
"""nDCG@10 of each query, by ranking (`likelihood` or `fused`) and split."""


def values(runs: Mapping[str, CutRun], folder: BeirFolder, weight: float) -> dict[tuple[str, str], Values]:
    """nDCG@10 for each way of cutting and combining; of BM25 under the names `BM25` and ``."""
    qrels = {split: read_qrels(folder.qrels(split)) for split in SPLITS}
    fusions = {"likelihood": None, "fused": FusionConfig(weight=weight)}
    first = {
        (name, split): ndcg(next(iter(runs.values())).lists, qrels[split], None, FusionConfig(weight=0.0))
        for name in fusions
        for split in SPLITS
    }
    found = {("BM25", ""): first}
    for cut, run in runs.items():
        for name, config in COMBINATIONS.items() if CUTS[cut] is not None else [("", None)]:
            found[cut, name] = {
                (fusion, split): ndcg(run.lists, qrels[split], config, fusions[fusion])
                for fusion in fusions
                for split in SPLITS
            }
    return found


def rows(found: Mapping[tuple[str, str], Values], runs: Mapping[str, CutRun]) -> list[str]:
    """The table, a line for each row."""
    columns = list(next(iter(found.values())))
    heads = ["documents", "combined by", "windows", "tokens per query", *(", ".join(column) for column in columns)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (cut, name), row in found.items():
        cost = [f"{runs[cut].windows:.1f}", f"{runs[cut].tokens:,.0f}"] if cut in runs else ["", ""]
        lines.append(f"| {' | '.join([cut, name, *cost, *(f'{row[column].mean():.3f}' for column in columns)])} |")
    return lines


def compared(found: Mapping[tuple[str, str], Values], fusion: str) -> Difference:
    """The way of cutting and combining that is best on the development queries, against cut documents on test."""
    windowed = {names: row for names, row in found.items() if names[1]}
    chosen = best_combination({names: row[fusion, "dev"] for names, row in windowed.items()})
    treated, base = (found[names][fusion, "test"] for names in (chosen, ("cut", "")))
    names = (" ".join(chosen), "cut")
    return paired_difference(names, "nDCG@10", treated, base, SignificanceConfig(tests=("randomization",)))


def sentence(fusion: str, found: Difference) -> str:
    """What the comparison found."""
    return (
        f"{fusion}: {found.run} is best on the development queries; on test against cut documents {found.effect:+.3f} "
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
    weight = fusion_weight(args.model)
    found = values(runs, folder, weight)
    print("\n".join(rows(found, runs)))
    print(f"\nfused: weight {weight:g} of the likelihood")
    for fusion in ("likelihood", "fused"):
        print(sentence(fusion, compared(found, fusion)))


if __name__ == "__main__":
    main()
