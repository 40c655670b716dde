"""Chains on development queries: the choice of the fusion weight of a second stage, and every chain at that weight.

    python -m recipes.fusion_weight --data ../shared/data --work SMALL --model tiny
    python -m recipes.fusion_weight --data ../shared/data --work LARGE --model smollm2-135m-q4 --adapter none
    python -m benchmarks.cascades.development --small SMALL --large LARGE --work WORK --output docs/images/cascades.png

The first two commands score 20 hits of each of 330 development queries, with each model. WORK is the folder of
`benchmarks.cascades.score`, which has measured the seconds per token of each model.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import AutoTokenizer

from benchmarks.cascades.chains import Scored, Stage, chains, measure, over_all
from benchmarks.cascades.plot import draw, table
from benchmarks.cascades.score import LARGE, SMALL
from benchmarks.quiet import quiet
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.models.registry import passage_tokens
from pyserini_qpeft.models.source import find_source
from pyserini_qpeft.reranking.fusion import FusionConfig
from recipes.fusion_weight import COLLECTIONS

DEPTH = 20
PROMPT_TOKENS = {SMALL: 35, LARGE: 18}
"""Tokens of a prompt beside passage and query, about: instruction, cue and hints."""

SECOND_DEPTHS = (3, 5, 8, 10)
WEIGHTS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


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


def main() -> None:
    """Prints both tables, and draws the chains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=Path, required=True, help="runs of the small model")
    parser.add_argument("--large", type=Path, required=True, help="runs of the large model")
    parser.add_argument("--work", type=Path, required=True, help="folder of benchmarks.cascades.score")
    parser.add_argument("--output", type=Path, help="the plot (.png, .svg)")
    args = parser.parse_args()
    quiet()
    timed = [json.loads(file.read_text()) for file in args.work.glob("*/seconds.json")]
    seconds = {model: fmean(one[model]["seconds"] / one[model]["tokens"] for one in timed) for model in (SMALL, LARGE)}
    folders = {SMALL: args.small, LARGE: args.large}
    collections = []
    for name in COLLECTIONS:
        queries = queries_of({model: folder / name / "reranked.jsonl" for model, folder in folders.items()})
        collections.append(Scored(name, queries, read_qrels(args.large / name / "qrels.tsv"), seconds))
    print(weights_table(collections), end="\n\n")
    measured = {one.name: [measure(chain, one) for chain in chains(DEPTH)] for one in collections}
    print(table({**measured, "all": over_all(measured)}))
    if args.output is not None:
        draw(measured, args.output)


def weights_table(collections: Sequence[Scored]) -> str:
    """nDCG@10 for each depth and weight of the second stage, as Markdown."""
    first = Stage(SMALL, DEPTH, FusionConfig().for_model(SMALL).weight or 0.0)
    lines = [
        f"| {first}, then SmolLM2 | weight | {' | '.join(one.name for one in collections)} | mean |",
        f"| --: | --: |{' --: |' * (len(collections) + 1)}",
    ]
    for depth in SECOND_DEPTHS:
        for weight in WEIGHTS:
            means = [measure((first, Stage(LARGE, depth, weight)), one).mean for one in collections]
            lines.append(f"| {depth} | {weight} | {' | '.join(f'{mean:.4f}' for mean in [*means, fmean(means)])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
