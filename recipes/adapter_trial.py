"""Trains an adapter on a model and compares it with the bare model on development queries, in one command.

    python -m recipes.adapter_trial --data ../shared/data --work WORK --name lora --model smollm2-135m-q4 \
        --variant lora --lora-rank 16 --lora-targets q_proj v_proj --learning-rate 2e-4 --temperature 0.5

Options that are not listed by `--help` are those of `qpeft train`. Training queries are from SQuAD, NQ, SciFact,
NFCorpus and MedQuAD, with hard negatives from BM25. Development queries are from SQuAD, NQ and NFCorpus. No
test query is used. `--collections` trains and compares on some of them only.
"""

import argparse
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.evaluation.comparison import Comparison, ComparisonConfig, compare
from pyserini_qpeft.evaluation.sweep import TwoStageRun, from_ranked_lists, rank
from pyserini_qpeft.reranking.fusion import FusionConfig
from recipes.fusion_weight import COLLECTIONS, rerank_development_queries, run_qpeft

TRAINING_QUERIES = {
    "squad-v1.1-dev": (1600, 40),
    "nq-open-oracle": (1018, 40),
    "scifact": (809, 40),
    "nfcorpus": (2590, 60),
    "medquad": (800, 40),
}
"""For each collection how many training queries are mined at most, and from how many of BM25's hits."""


def mine(data: Path, work: Path, collections: Sequence[str]) -> list[Path]:
    """Training lists of collections: one positive or more and eight hard negatives of BM25 for each query.

    Args:
        data: Folder of the collections, BEIR folders with a split `train`.
        work: Folder for indexes and lists; finished files are used again.
        collections: Names of the collections.
    """
    lists = []
    (work / "indexes").mkdir(parents=True, exist_ok=True)
    for name in collections:
        queries, hits = TRAINING_QUERIES[name]
        collection, index, output = data / name, work / "indexes" / name, work / f"{name}-train.json.gz"
        lists.append(output)
        if output.exists():
            continue
        run_qpeft(["index", "--corpus", str(collection), "--index", str(index), "--overwrite"])
        found = ["--collection", str(collection), "--index", str(index), "--output", str(output)]
        sizes = ["--negatives", "8", "--top-n", str(hits), "--max-queries", str(queries)]
        run_qpeft(["mine", *found, *sizes])
    return lists


def compare_on_development_queries(
    lists: dict[str, TwoStageRun], qrels: Qrels, fusion: FusionConfig | None
) -> Comparison:
    """nDCG@10 of the first stage and of each model, with differences from the first model.

    Args:
        lists: By the name of a model, the development lists with the scores of both stages; the bare model first.
        qrels: The development qrels.
        fusion: How the likelihood and the first stage's score become one; None is the likelihood alone.
    """
    bare = next(iter(lists))
    runs: dict[str, Run] = {"first stage": rank(lists[bare], 0, None)}
    runs |= {name: rank(run, None, fusion) for name, run in lists.items()}
    return compare(runs, qrels, ComparisonConfig(measures=["nDCG@10"], baseline=bare))


def main() -> None:
    """Mines, trains, reranks and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--work", type=Path, required=True, help="folder for all files; finished ones are used again")
    parser.add_argument("--name", required=True, help="name of the trial; its adapter is WORK/NAME")
    parser.add_argument("--model", required=True, help="the base model")
    parser.add_argument("--dev-lists", type=int, default=40, help="development queries of a collection (default: 40)")
    parser.add_argument("--depth", type=int, default=10, help="hits of BM25 that are reranked (default: 10)")
    parser.add_argument(
        "--collections", nargs="+", choices=TRAINING_QUERIES, default=list(TRAINING_QUERIES), help="default: all"
    )
    args, options = parser.parse_known_args()
    compared = [name for name in COLLECTIONS if name in args.collections]
    if not compared:
        parser.error(f"--collections: name one with development queries: {', '.join(COLLECTIONS)}")
    adapter = args.work / args.name
    if not adapter.exists():
        train = [
            "train",
            "--train",
            *map(str, mine(args.data, args.work, args.collections)),
            "--output",
            str(adapter),
            "--resume",
        ]
        run_qpeft([*train, "--loss", "listwise", "--model", args.model, *options])
    lists: dict[str, dict[str, TwoStageRun]] = {}
    qrels: dict[str, Qrels] = {}
    for collection in compared:
        for name in ("none", str(adapter)):
            work = args.work / f"{Path(name).name}-dev" / collection
            chosen = ["--model", args.model, "--adapter", name]
            reranked = rerank_development_queries(args.data / collection, work, args.dev_lists, args.depth, chosen)
            run = from_ranked_lists(read_ranked_lists(reranked))
            lists.setdefault(collection, {})["bare" if name == "none" else args.name] = run
            qrels[collection] = read_qrels(work / "qrels.tsv")
    every = {name: reduce(or_, (each[name] for each in lists.values())) for name in lists[compared[0]]}
    fusion = FusionConfig().for_model(args.model)
    for collection, (runs, judged) in {
        **{one: (lists[one], qrels[one]) for one in compared},
        "all": (every, reduce(or_, qrels.values())),
    }.items():
        for title, chosen_fusion in (("the likelihood alone", None), ("fused", fusion)):
            comparison = compare_on_development_queries(runs, judged, chosen_fusion)
            print(f"{collection}, {title}, {len(judged)} development queries")
            print(comparison.means().round(4).to_string())
            print(comparison.differences_frame().round(4).to_string())


if __name__ == "__main__":
    main()
