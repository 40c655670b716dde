"""The trained part of Q-PEFT: it turns tokens of a query and a passage into hint vectors. Plain torch, no peft."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.embedding import embedding_rows
from pyserini_qpeft.qpeft.hints import hint_rule


class HintMLP(nn.Module):
    """Linear, then ReLU and Linear for each hidden layer, all as wide as the model.

    Args:
        width: Width of the model.
        layers: Hidden layers; 0 is the identity.
        residual: Add the input to the output. The last layer is zero at the start, so that training starts from the
            embeddings themselves and not from a random map of them.
    """

    def __init__(self, width: int, layers: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        stack: list[nn.Module] = [nn.Linear(width, width)] if layers else []
        for _ in range(layers):
            stack += [nn.ReLU(), nn.Linear(width, width)]
        self.layers = nn.Sequential(*stack)
        if residual and layers:
            nn.init.zeros_(cast(nn.Linear, stack[-1]).weight)
            nn.init.zeros_(cast(nn.Linear, stack[-1]).bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Maps `[..., width]` to `[..., width]`."""
        if not len(self.layers):
            return vectors
        mapped = cast(torch.Tensor, self.layers(vectors))
        return vectors + mapped if self.residual else mapped


class QueryDependentPrompt(nn.Module):
    """The trained weights of one adapter: the hint MLP, what its hint rule adds, the gate, and the trained words.

    All vectors are in the output space of `get_input_embeddings()`, which is what a model takes as `inputs_embeds`: a
    scale inside the embedding module (Gemma) is included, a scale that the model applies later (Granite) is not.

    Args:
        config: The adapter's settings, with `token_dim` and `vocab_size`.
        embeddings: The base model's input embeddings; frozen, and not a part of this module.
    """

    def __init__(self, config: QPeftConfig, embeddings: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.rule = hint_rule(config)
        width, rows = cast(int, config.token_dim), cast(int, config.vocab_size)
        if config.instruction_mode != "hard":
            self.instruction = nn.Parameter(embedding_rows(embeddings, torch.tensor(config.instruction_ids), width))
        if not self.rule.has_hints:
            return
        if config.hint_table == "copy":
            self.table = nn.Parameter(embedding_rows(embeddings, torch.arange(rows), width))
        elif config.hint_table == "low-rank":
            self.table_a = nn.Parameter(torch.randn(rows, config.hint_table_rank) / config.hint_table_rank**0.5)
            self.table_b = nn.Parameter(torch.zeros(config.hint_table_rank, width))
        if config.hint_gate is not None:
            self.gate = nn.Parameter(torch.tensor(float(config.hint_gate)))
        self.mlp = HintMLP(width, config.mlp_layers, config.mlp_residual)
        self.rule.add_modules(self, embeddings)

    def embed(self, ids: torch.Tensor, embeddings: nn.Module) -> torch.Tensor:
        """E(token), from the base model's embeddings or the adapter's own table.

        Args:
            ids: Token ids, int64 `[…]`.
            embeddings: The base model's input embeddings.

        Returns:
            float32 `[…, width]`.
        """
        if self.config.hint_table == "copy":
            return self.table[ids]
        vectors = cast(torch.Tensor, embeddings(ids)).float()
        if self.config.hint_table == "low-rank":
            vectors = vectors + self.table_a[ids] @ self.table_b
        return vectors

    def mapped(self, ids: torch.Tensor, embeddings: nn.Module) -> torch.Tensor:
        """MLP(E(token)): int64 `[…]` to float32 `[…, width]`."""
        return cast(torch.Tensor, self.mlp(self.embed(ids, embeddings)))

    def hints(self, inputs: Mapping[str, torch.Tensor], embeddings: nn.Module) -> torch.Tensor:
        """The hint vectors of a batch, by the adapter's hint rule: float32 `[pairs, hints, width]`."""
        return self.rule.vectors(self, inputs, embeddings)
