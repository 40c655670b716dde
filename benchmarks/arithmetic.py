"""How much arithmetic a text takes, so that speeds can be held against the machine's peak."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model reads of one pair.

    Attributes:
        tokens: Its tokens, padding not counted.
        predicted: Positions whose logits over the vocabulary the score needs.
        before: Tokens in front of them that have been read already, and are met in attention.
    """

    tokens: int
    predicted: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a causal model costs.

    Attributes:
        body: Weights of the linear layers that every token goes through.
        head: Weights of the layer that gives logits.
        attention: Widths of queries, summed over layers.
    """

    body: int
    head: int
    attention: int

    @classmethod
    def of(cls, model: Any) -> "Arithmetic":
        """Counts a model of transformers."""
        head = model.get_output_embeddings()
        linear = sum(
            layer.weight.numel()
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Linear) and layer is not head
        )
        config = model.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        queries = config.num_hidden_layers * config.num_attention_heads * width
        return cls(linear, 0 if head is None else head.weight.numel(), queries)

    def operations(self, readings: Iterable[Reading]) -> int:
        """Multiplications and additions of the matrix products that the readings need, none for padding.

        Each token meets itself and all before it in attention.
        """
        return sum(
            2 * self.body * reading.tokens
            + 2 * self.attention * reading.tokens * (reading.tokens + 1 + 2 * reading.before)
            + 2 * self.head * reading.predicted
            for reading in readings
        )
