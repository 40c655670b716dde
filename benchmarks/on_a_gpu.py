"""`python -m benchmarks.on_a_gpu`: how much of a GPU's peak our scoring uses, beside a plain loop of transformers.

The models have random weights and are made on the GPU, so nothing is downloaded or written. All ways score the same
generated texts in turn. The peak is that of large matrix products in the same run.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tabulate import tabulate

from benchmarks.clock import seconds_now
from benchmarks.generated import generate
from pyserini_qpeft.cli.options import add_options, read_options

_SHAPES = ("smollm2", "llama-2-7b")


@dataclass(frozen=True)
class GpuOptions:
    """What is measured."""

    sizes: tuple[str, ...] = field(default=_SHAPES, metadata={"help": "shapes of models", "choices": _SHAPES})
    queries: int = field(default=20, metadata={"help": "queries; a passage is a hit of nine of them"})
    depth: int = field(default=100, metadata={"help": "hits of a query"})
    rounds: int = field(default=3, metadata={"help": "turns of each way"})
    compile: bool = field(default=False, metadata={"help": "measure torch.compile too"})
    dtype: str = field(default="bfloat16", metadata={"help": "dtype of the models"})


def _shape(name: str) -> Any:
    from transformers import LlamaConfig

    from benchmarks.sizes import SIZES

    made = SIZES[name].config
    if made is not None:
        return made()
    return LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_a_gpu", description=__doc__)
    add_options(parser, GpuOptions)
    options = read_options(GpuOptions, parser.parse_args(arguments))
    import torch

    if not torch.cuda.is_available():
        print("python -m benchmarks.on_a_gpu needs a GPU, and torch sees none.", file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.dtype}")
    rows = [row for size in options.sizes for row in _measured(size, options)]
    print(tabulate(rows, headers="keys", tablefmt="github"))
    return 0


def _measured(size: str, options: GpuOptions) -> list[dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from benchmarks.arithmetic import Arithmetic, Reading
    from benchmarks.clock import ForwardClock
    from benchmarks.machine import PeakMeter
    from benchmarks.rivals.plain import Plain
    from pyserini_qpeft.models.loading import SHIPPED_MODEL
    from pyserini_qpeft.scoring.config import ScoringConfig
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

    dtype = getattr(torch, options.dtype)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_MODEL)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(_shape(size), dtype=dtype)
    topics = generate(tokenizer, options.queries, options.depth)
    pairs = [(query, passage) for query, passages in topics for passage in passages]
    arithmetic = Arithmetic.of(model)

    def ours(**settings: Any) -> LikelihoodScorer:
        return LikelihoodScorer(model, tokenizer, ScoringConfig(passage_tokens=400, **settings))

    alone, shared = ours(share_passages=False), ours()
    sequences = alone.sequences(pairs)
    once = {id(one.shared_ids): len(one.shared_ids) for one in sequences}
    each = [Reading(len(one), len(one.query)) for one in sequences]
    behind = [Reading(len(one.following), len(one.query), len(one.shared_ids)) for one in sequences]
    ways: dict[str, tuple[Callable[[], Any], list[Any]]] = {
        "ours": (
            lambda: shared.score(shared.sequences(pairs)),
            [*(Reading(length, 0) for length in once.values()), *behind],
        ),
        "ours, unshared": (lambda: alone.score(alone.sequences(pairs)), each),
        "plain loop of transformers": (lambda: Plain(model, tokenizer).score(pairs), each),
    }
    meter = PeakMeter(dtype, "cuda")
    rows = _turns(size, ways, options.rounds, meter, arithmetic, lambda: ForwardClock([model]), len(pairs))
    if options.compile:
        compiled = ours(share_passages=False, compile=True)
        way = {"ours, unshared, compiled": (lambda: compiled.score(compiled.sequences(pairs)), each)}
        rows += _turns(size, way, options.rounds, meter, arithmetic, lambda: ForwardClock([model]), len(pairs))
    return rows


def _turns(
    size: str,
    ways: dict[str, tuple[Callable[[], Any], list[Any]]],
    rounds: int,
    meter: Any,
    arithmetic: Any,
    clock: Callable[[], Any],
    pairs: int,
) -> list[dict[str, Any]]:
    import torch

    whole: dict[str, list[float]] = {name: [] for name in ways}
    inside: dict[str, list[float]] = {name: [] for name in ways}
    peaks, memory = [], {}
    for turn in range(rounds + 1):
        for name, (score, _) in ways.items():
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            began = seconds_now()
            with clock() as forward:
                score()
                torch.cuda.synchronize()
            if turn:  # the first one warms up
                whole[name].append(seconds_now() - began)
                inside[name].append(forward.seconds())
                memory[name] = torch.cuda.max_memory_allocated() - before
        peaks.append(meter.measure())
    peak = max(peaks)
    return [
        {
            "model": size,
            "way": name,
            "pairs/s": f"{pairs / median(whole[name]):,.0f}",
            "tokens/s": f"{sum(one.tokens for one in readings) / median(whole[name]):,.0f}",
            "TFLOP/s": f"{arithmetic.operations(readings) / median(whole[name]) / 1e12:.0f}",
            "of the peak": f"{arithmetic.operations(readings) / median(whole[name]) / peak:.0%}",
            "forward passes alone": f"{arithmetic.operations(readings) / median(inside[name]) / peak:.0%}",
            "peak, TFLOP/s": f"{peak / 1e12:.0f}",
            "memory, GiB": f"{memory[name] / 2**30:.1f}",
        }
        for name, (_, readings) in ways.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
