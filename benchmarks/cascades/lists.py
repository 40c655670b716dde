r"""Chains on lists that both models have reranked, such as those of test queries: what each finds, and what it costs.

    qpeft rerank --run HITS --depth 50 --below-depth drop --fusion none --output-format jsonl \
        --model tiny --output SMALL
    qpeft rerank … --model smollm2-135m-q4 --adapter none --output LARGE
    python -m benchmarks.cascades.lists --work WORK --depth 50 NAME=SMALL,LARGE,QRELS …

WORK is the folder of `benchmarks.cascades.score`, which has measured the seconds per token of each model.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from benchmarks.cascades.chains import SECOND_WEIGHT, Chain, Point, Scored, Stage, measure, over_all, with_margin
from benchmarks.cascades.score import LARGE, SMALL
from benchmarks.quiet import quiet
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.models.registry import passage_tokens
from pyserini_qpeft.models.source import find_source
from pyserini_qpeft.reranking.fusion import FusionConfig

PROMPT_TOKENS = {SMALL: 35, LARGE: 18}
"""Tokens of a prompt beside passage and query, about: instruction, cue and hints."""


def seconds_per_token(work: Path) -> dict[str, float]:
    """Seconds per token of each model, the mean over the collections of `benchmarks.cascades.score`."""
    timed = [json.loads(file.read_text()) for file in work.glob("*/seconds.json")]
    return {model: fmean(one[model]["seconds"] / one[model]["tokens"] for one in timed) for model in (SMALL, LARGE)}


def queries_of(lists: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The queries of a collection that both models have scored, as records of `benchmarks.cascades.score`.

    Args:
        lists: The reranked lists (JSONL) of each model, for the same hits.
    """
    queries: dict[str, dict[str, Any]] = {}
    for model, file in lists.items():
        count = _token_counter(model)
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            hits = sorted(record["hits"], key=lambda hit: hit["first_stage_rank"])
            query = queries.setdefault(record["qid"], {"qid": record["qid"]})
            query["hits"] = [(hit["docid"], hit["first_stage_score"]) for hit in hits]
            tokens = count(record["query"], [hit["text"] for hit in hits])
            query[model] = {
                "likelihoods": {hit["docid"]: hit["likelihood"] for hit in hits},
                "tokens": {hit["docid"]: number for hit, number in zip(hits, tokens, strict=True)},
            }
    return list(queries.values())


def _token_counter(model: str) -> Callable[[str, Sequence[str]], list[int]]:
    """Counts the tokens of the prompts of a query, with a model's tokenizer and passage limit."""
    tokenizer = AutoTokenizer.from_pretrained(find_source(model).place)
    most = passage_tokens(model)

    def count(query: str, texts: Sequence[str]) -> list[int]:
        own, *others = map(len, tokenizer([query, *texts], add_special_tokens=False)["input_ids"])
        return [min(other, most) + own + PROMPT_TOKENS[model] for other in others]

    return count


def shown_chains(depth: int) -> list[Chain]:
    """BM25, the models alone, a chain of fixed depths, and chains with margins."""
    small, large = (Stage(model, depth, FusionConfig().for_model(model).weight or 0.0) for model in (SMALL, LARGE))
    fixed = Stage(LARGE, 7, SECOND_WEIGHT)
    return [(), (small,), (small, fixed), *((small, with_margin(margin)) for margin in (1.0, 1.5)), (large,)]


def lists_table(collections: Sequence[Scored], depth: int) -> str:
    """nDCG@10 of each chain, the difference from the full model (the last chain) and the time, as Markdown."""
    measured = {one.name: [measure(chain, one) for chain in shown_chains(depth)] for one in collections}
    means = over_all(measured)
    lines = [
        f"| chain | {' | '.join(f'{one.name} ({len(one.qrels)})' for one in collections)} | mean | time / full |",
        f"| --- |{' --: |' * (len(collections) + 2)}",
    ]
    for place, mean in enumerate(means):
        cells = [_cell(points[place], points[-1]) for points in measured.values()]
        words = " → ".join(map(str, mean.chain)) or "BM25"
        share = mean.seconds / means[-1].seconds
        lines.append(f"| {words} | {' | '.join(cells)} | {mean.mean:.4f} | {share:.2f} |")
    return "\n".join(lines)


def _cell(point: Point, full: Point) -> str:
    if point is full:
        return f"{point.mean:.4f}"
    differences = np.array([point.ndcg[qid] - full.ndcg[qid] for qid in full.ndcg])
    half = 1.96 * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{point.mean:.4f} ({differences.mean():+.4f} ± {half:.4f})"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", nargs="+", metavar="NAME=SMALL,LARGE,QRELS", help="reranked lists, and their qrels")
    parser.add_argument("--work", type=Path, required=True, help="folder of benchmarks.cascades.score")
    parser.add_argument("--depth", type=int, required=True, help="hits that both models have scored")
    args = parser.parse_args()
    quiet()
    seconds, collections = seconds_per_token(args.work), []
    for given in args.lists:
        name, _, files = given.partition("=")
        small, large, qrels = map(Path, files.split(","))
        queries, known = queries_of({SMALL: small, LARGE: large}), read_qrels(qrels)
        judged = [query for query in queries if query["qid"] in known]
        collections.append(Scored(name, judged, {one["qid"]: known[one["qid"]] for one in judged}, seconds))
    print(lists_table(collections, args.depth))


if __name__ == "__main__":
    main()
