"""How the fusion weight of a second stage was chosen: nDCG@10 of chains at several weights, on development queries.

    python -m recipes.fusion_weight --data ../shared/data --work SMALL --model tiny
    python -m recipes.fusion_weight --data ../shared/data --work LARGE --model smollm2-135m-q4 --adapter none
    python -m benchmarks.cascades.development --small SMALL --large LARGE

The first two commands score 20 hits of each of 330 development queries, with each model.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.cascades.chains import Chain, Stage, rank
from benchmarks.cascades.score import LARGE, SMALL
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.reranking.fusion import FusionConfig
from recipes.fusion_weight import COLLECTIONS

DEPTH = 20
SECOND_DEPTHS = (3, 5, 8, 10)
WEIGHTS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


def queries_of(small: Path, large: Path) -> list[dict[str, Any]]:
    """The queries of a collection that both models have scored, as records of `benchmarks.cascades.score`.

    Args:
        small: Reranked lists of the small model (JSONL).
        large: Those of the large one, for the same hits.
    """
    likelihoods: dict[str, Mapping[str, float]] = {}
    for line in large.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        likelihoods[record["qid"]] = {hit["docid"]: hit["likelihood"] for hit in record["hits"]}
    queries = []
    for line in small.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        hits = sorted(record["hits"], key=lambda hit: hit["first_stage_rank"])
        own = {hit["docid"]: hit["likelihood"] for hit in hits}
        unknown = dict.fromkeys(own, 0)
        queries.append(
            {
                "qid": record["qid"],
                "hits": [(hit["docid"], hit["first_stage_score"]) for hit in hits],
                SMALL: {"likelihoods": own, "tokens": unknown},
                LARGE: {"likelihoods": likelihoods[record["qid"]], "tokens": unknown},
            }
        )
    return queries


def main() -> None:
    """Prints a row for each chain and weight, with a column for each collection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=Path, required=True, help="runs of the small model")
    parser.add_argument("--large", type=Path, required=True, help="runs of the large model")
    args = parser.parse_args()
    of = {
        name: (
            queries_of(args.small / name / "reranked.jsonl", args.large / name / "reranked.jsonl"),
            read_qrels(args.large / name / "qrels.tsv"),
        )
        for name in COLLECTIONS
    }
    own = {model: FusionConfig().for_model(model).weight or 0.0 for model in (SMALL, LARGE)}
    first = Stage(SMALL, DEPTH, own[SMALL])
    rows: list[tuple[str, Chain]] = [("BM25", ()), (str(first), (first,))]
    rows.append((f"{LARGE}@{DEPTH}", (Stage(LARGE, DEPTH, own[LARGE]),)))
    for depth in SECOND_DEPTHS:
        for weight in WEIGHTS:
            rows.append((f"{first}, {LARGE}@{depth}:{weight}", (first, Stage(LARGE, depth, weight))))
    print(f"| chain | {' | '.join(of)} | mean |\n| --- | {'--: | ' * (len(of) + 1)}".rstrip())
    for name, chain in rows:
        means = [
            score_queries({one["qid"]: rank(chain, one)[0] for one in queries}, qrels, ["nDCG@10"]).iloc[:, 0].mean()
            for queries, qrels in of.values()
        ]
        print(f"| {name} | {' | '.join(f'{mean:.4f}' for mean in [*means, fmean(means)])} |")


if __name__ == "__main__":
    main()
