"""`python -m benchmarks.hours`: GPU hours for MS MARCO from arithmetic, by size of the model. Nothing is run."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from benchmarks.arithmetic import Arithmetic, Reading

QUERIES = {"dev": 6_980, "train": 808_731}
DEPTH = 1000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a model.

    Attributes:
        width: Width of the hidden states.
        inner: Width of the MLP.
        layers: Layers.
        heads: Heads.
        shared: Heads of keys and values.
        vocabulary: Tokens of the vocabulary.
        tied: Whether input and output embeddings are the same weights.
    """

    width: int
    inner: int
    layers: int
    heads: int
    shared: int
    vocabulary: int
    tied: bool = True


_MODELS = {
    "135 M (SmolLM2)": Sizes(width=576, inner=1536, layers=30, heads=9, shared=3, vocabulary=49_152),
    "1 B (Llama 3.2)": Sizes(width=2048, inner=8192, layers=16, heads=32, shared=8, vocabulary=128_256),
    "7 B (Llama 2)": Sizes(width=4096, inner=11_008, layers=32, heads=32, shared=32, vocabulary=32_000, tied=False),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--passage-tokens", type=int, default=84, help="tokens of a passage")
    parser.add_argument("--query-tokens", type=int, default=7, help="tokens of a query")
    parser.add_argument("--prompt-tokens", type=int, default=20, help="tokens of the prompt around passage and query")
    parser.add_argument(
        "--peak", type=float, default=312.0, help="peak of the GPU, TFLOP/s in bfloat16; an A100 has 312"
    )
    parser.add_argument("--share", type=float, default=0.40, help="share of the peak that is reached")
    given = parser.parse_args(arguments)
    print(table(given.passage_tokens, given.query_tokens, given.prompt_tokens, given.peak, given.share))
    return 0


def table(passage: int, query: int, prompt: int, peak: float, share: float) -> str:
    """The table in Markdown.

    Args:
        passage: Tokens of a passage.
        query: Tokens of a query, whose logits are computed.
        prompt: Tokens of the prompt around passage and query.
        peak: Peak of the GPU in TFLOP/s.
        share: Share of the peak that is reached.
    """
    pair = Reading(tokens=passage + query + prompt, predicted=query)
    rows = []
    for name, sizes in _MODELS.items():
        operations = Arithmetic.of(_model(sizes)).operations([pair])
        per_second = peak * 1e12 * share / operations
        hours = [_rounded(queries * DEPTH / per_second / 3600) for queries in QUERIES.values()]
        rows.append([name, _rounded(operations / 1e9), _rounded(per_second), *hours])
    heads = ["model", "GFLOP per pair", "pairs/s", *(f"{name}, {n:,} queries" for name, n in QUERIES.items())]
    return tabulate(rows, heads, tablefmt="pipe", disable_numparse=True)


def _model(sizes: Sizes) -> Any:
    """A model without memory for its weights."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        intermediate_size=sizes.inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.shared,
        tie_word_embeddings=sizes.tied,
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def _rounded(value: float) -> str:
    """Two significant digits, which is more than the estimate deserves."""
    digits = f"{value:.1e}"
    return f"{float(digits):,.0f}" if float(digits) >= 10 else f"{float(digits):g}"


if __name__ == "__main__":
    sys.exit(main())
