"""How many operations a text needs, so that speeds can be compared with the machine's peak."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Reading:
    """The tokens of one pair that a model reads.

    Attributes:
        tokens: Number of tokens, without padding.
        predicted: Number of positions whose logits the score needs.
        before: Number of tokens before them that are in the cache and take part in attention.
    """

    tokens: int
    predicted: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The sizes of a causal model that its operations depend on.

    Attributes:
        body: Number of weights in the linear layers of the body.
        head: Number of weights in the output layer.
        attention: Widths of the attention queries, summed over layers.
    """

    body: int
    head: int
    attention: int

    @classmethod
    def of(cls, model: Any) -> "Arithmetic":
        """Reads the sizes of a transformers model."""
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
        """Counts the multiplications and additions of the matrix products, without padding.

        In attention each token is combined with itself and with all tokens before it.
        """
        return sum(
            2 * self.body * reading.tokens
            + 2 * self.attention * reading.tokens * (reading.tokens + 1 + 2 * reading.before)
            + 2 * self.head * reading.predicted
            for reading in readings
        )
