"""What adaptive depth leaves unread and what that changes, computed from runs that were reranked to their full depth.

    qpeft rerank --run bm25.jsonl --fusion none --output-format jsonl --output reranked.jsonl    # once
    python -m benchmarks.adaptive_depth --weight 0.6 --rule pyserini_qpeft/resources/adapters/retrieval/stopping.json \
        NAME=reranked.jsonl,qrels.tsv …

No model is needed: `StoppingRule.read_depth` replays the decisions of `AdaptiveReranker`, and a test compares both.
Each row also has the fixed depth that reads as many hits as the rule does.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyserini_qpeft.adaptive.rule import StoppingRule, change
from pyserini_qpeft.adaptive.rule_file import read_rule
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.evaluation.sweep import TwoStageRun, from_ranked_lists, judged_only, rank
from pyserini_qpeft.reranking.fusion import FusionConfig

MEASURE = "nDCG@10"
HEADS = (
    *("collection", "queries", "hits", "unread", "changed", f"{MEASURE} read whole", "adaptive", "difference (95 %)"),
    *("fixed depth", "changed", "difference (95 %)"),
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Lists of which only the first hits were read.

    Attributes:
        run: The final lists.
        read: Hits that were read.
        changed: Mean change of the first k hits against the lists that were read whole.
    """

    run: Run
    read: int
    changed: float


def cut(lists: TwoStageRun, depths: dict[str, int], fusion: FusionConfig | None, k: int) -> Cut:
    """Rank each list as if its first hits alone had been read.

    Args:
        lists: Hits with the scores of both stages.
        depths: How many hits of each query are read.
        fusion: How the scores become one.
        k: How many of the first hits matter.
    """
    run, changes = {}, []
    for qid, hits in lists.items():
        run |= rank({qid: hits}, depths[qid], fusion)
        whole = rank({qid: hits}, None, fusion)[qid]
        places = {hit.docid: place for place, hit in enumerate(hits)}
        changes.append(change(*([places[hit.docid] for hit in one] for one in (run[qid], whole)), k))
    return Cut(run, sum(depths.values()), float(np.mean(changes)))


def row(name: str, lists: TwoStageRun, qrels: Qrels, rule: StoppingRule, fusion: FusionConfig | None) -> list[str]:
    """The cells of one collection, see `HEADS`."""
    judged = judged_only(lists, qrels)
    qrels = {qid: qrels[qid] for qid in judged}
    hits = {qid: len(one) for qid, one in judged.items()}
    total = sum(hits.values())
    depths = {}
    for qid, one in judged.items():
        likelihoods = [hit.likelihood for hit in one if hit.likelihood is not None]
        if len(likelihoods) < len(one):
            raise QPeftError(f"{name}: query {qid} was not reranked to its full depth")
        depths[qid] = rule.read_depth(likelihoods, [hit.first_stage_score for hit in one], fusion)
    adaptive = cut(judged, depths, fusion, rule.k)
    fixed_depth = next(
        depth
        for depth in range(1, max(hits.values()) + 1)
        if sum(min(depth, count) for count in hits.values()) >= adaptive.read
    )
    fixed = cut(judged, {qid: min(fixed_depth, count) for qid, count in hits.items()}, fusion, rule.k)
    whole = _values(rank(judged, None, fusion), qrels)
    return [
        *(name, str(len(judged)), str(total), f"{1 - adaptive.read / total:.0%}", f"{adaptive.changed:.3f}"),
        *(f"{whole.mean():.4f}", f"{_values(adaptive.run, qrels).mean():.4f}"),
        _difference(_values(adaptive.run, qrels) - whole),
        *(str(fixed_depth), f"{fixed.changed:.3f}", _difference(_values(fixed.run, qrels) - whole)),
    ]


def _values(run: Run, qrels: Qrels) -> np.ndarray:
    return score_queries(run, qrels, [MEASURE])[MEASURE].to_numpy()


def _difference(differences: np.ndarray) -> str:
    half = 1.96 * differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else float("nan")
    return f"{differences.mean():+.4f} ± {half:.4f}"


def main() -> None:
    """Print a table in Markdown."""
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN,QRELS", help="reranked lists (JSONL) and their qrels")
    parser.add_argument("--rule", type=Path, required=True, help="stopping rule")
    parser.add_argument("--weight", type=float, required=True, help="fusion weight of the likelihood, 0 to 1")
    args = parser.parse_args()
    rule, fusion = read_rule(args.rule), FusionConfig(weight=args.weight)
    rows = []
    for given in args.runs:
        name, _, files = given.partition("=")
        run, _, qrels = files.partition(",")
        lists = from_ranked_lists(read_ranked_lists(run))
        rows.append(row(name, lists, read_qrels(qrels), rule, fusion))
    print(tabulate(rows, headers=HEADS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
