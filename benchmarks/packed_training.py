"""Training on packed pairs, beside the same pairs in rows of their own: `python -m benchmarks.packed_training`.

    qpeft mine --collection ../shared/data/squad-v1.1-dev --index INDEX --negatives 8 --top-n 40 --output squad.json.gz
    OMP_NUM_THREADS=1 python -m benchmarks.packed_training --train squad.json.gz --clock processor

A step has queries that have passages in common, and all of their passages, as `qpeft train --in-batch 16 --groups near
--group-passages 8` trains on. Measured are the forward and backward passes of one step: each pair in a row of its own
(on some of the pairs), pairs of a passage in one row with a mask, and the same row with attention in parts, which is
what `qpeft train` does.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional

from benchmarks.clock import use_processor_time
from benchmarks.turns import Task, take_turns
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.qpeft.packed_attention import PackedAttention
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.adapters import make_adapter, passages_are_frozen
from pyserini_qpeft.training.batches import StepCollator
from pyserini_qpeft.training.config import SamplingConfig
from pyserini_qpeft.training.pair_scorer import PairScorer
from pyserini_qpeft.training.sampling import CandidateList, TrainingGroups

_ATTENTION = ("q_proj", "v_proj")
ADAPTERS: dict[str, Callable[[int], AdapterConfig]] = {
    "LoRA": lambda layers: AdapterConfig("lora", lora_rank=16, lora_targets=_ATTENTION),
    "LoRA, upper half": lambda layers: AdapterConfig(
        "lora", lora_rank=16, lora_targets=_ATTENTION, lora_layers=max(1, layers // 2)
    ),
    "R": lambda layers: AdapterConfig("retrieval"),
    "R with a gate": lambda layers: AdapterConfig("retrieval", prompt={"hint_gate": -2.0}),
    "A": lambda layers: AdapterConfig("attention"),
    "trained instruction": lambda layers: AdapterConfig("prompt-tuning"),
}
"""What is trained, given the number of layers of the model."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints a table."""
    args = _parser().parse_args(arguments)
    if args.clock == "processor":
        use_processor_time()
    examples, _ = read_examples([args.train])
    sampling = SamplingConfig(in_batch=args.queries, groups="near", group_passages=args.passages)
    lists = TrainingGroups(examples, sampling, seed=1)[0]
    print("| trained | pairs | alone, pairs/s | packed with a mask | packed, in parts | times as fast as alone |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in args.adapters:
        speeds = dict(_speeds(args, name, lists))
        alone, masked, parts = speeds.values()
        pairs = sum(len(one.passages) for one in lists)
        print(f"| {name} | {pairs} | {alone:.1f} | {masked:.1f} | {parts:.1f} | {parts / alone:.1f} |", flush=True)
    return 0


def _speeds(args: argparse.Namespace, adapter: str, lists: list[CandidateList]) -> Iterator[tuple[str, float]]:
    """Pairs per second of each way of training."""
    base, tokenizer = load_model(ModelConfig(model=args.model, adapter=NO_ADAPTER, device="cpu", dtype=args.dtype))
    model = make_adapter(base, tokenizer, ADAPTERS[adapter](base.config.num_hidden_layers), seed=1)
    cached = 1 << 30 if passages_are_frozen(model) else 0
    some = lists[: max(1, args.alone_pairs // len(lists[0].passages))]
    ways = {"alone": (some, False, False), "masked": (lists, True, True), "parts": (lists, True, False)}
    tasks, counts = {}, {}
    for way, (chosen, packed, masked) in ways.items():
        scoring = ScoringConfig(
            passage_tokens=args.passage_tokens, share_passages=packed, passage_cache_bytes=cached, batch_tokens=4096
        )
        scorer = LikelihoodScorer(model, tokenizer, scoring)
        step = StepCollator(scorer, batch_tokens=4096)([chosen])
        tasks[way] = Task(partial(_passes, PairScorer(model, cache=scorer.cache), step, masked))
        counts[way] = len(step["places"])
    take_turns(tasks, 1, lambda message: None)  # reads the passages into the cache
    turns = take_turns(tasks, args.rounds, lambda message: print(f"{adapter}: {message}", file=sys.stderr))
    for way, taken in turns.items():
        yield way, counts[way] / min(turn.seconds for turn in taken)


def _passes(module: PairScorer, step: Any, masked: bool) -> None:
    """The forward and backward passes of one step."""
    with patch.object(PackedAttention, "_attend", _with_mask) if masked else nullcontext():
        module(step["batches"], step["shared"]).sum().backward()
    module.zero_grad()


def _with_mask(
    mode: PackedAttention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
) -> torch.Tensor:
    grouped = key.shape[1] != query.shape[1]
    return functional.scaled_dot_product_attention(query, key, value, mode.mask, scale=scale, enable_gqa=grouped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packed_training", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="smollm2-135m-q4", help="base model")
    add("--dtype", help="its dtype (default: chosen for the device)")
    add("--train", required=True, type=Path, help="training examples in DPR's JSON")
    add("--adapters", nargs="+", choices=list(ADAPTERS), default=list(ADAPTERS), help="what is trained")
    add("--queries", type=int, default=16, help="queries of a step")
    add("--passages", type=int, default=8, help="passages of a step")
    add("--alone-pairs", type=int, default=24, help="pairs that are measured in rows of their own")
    add("--passage-tokens", type=int, default=192, help="tokens of a passage that are read")
    add("--rounds", type=int, default=2, help="rounds; the fastest counts")
    add("--clock", choices=["wall", "processor"], default="wall", help="as for python -m benchmarks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
