"""The trainable part of Q-PEFT: from a query's and a passage's tokens to hint vectors. Plain torch, no peft."""

from typing import cast

import torch
from torch import nn

from pyserini_qpeft.qpeft.config import QPeftConfig


class HintMLP(nn.Module):
    """Linear, then (ReLU, Linear) per hidden layer, all of the model's width; optionally added to its input.

    The residual form starts at the identity (its last layer is zero), so training starts from the embeddings
    themselves and not from a random map of them.
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
    """Hint vectors and, where it is trained, the instruction.

    All vectors live in the output space of `get_input_embeddings()`, which is what a model takes as `inputs_embeds`:
    a scale inside the embedding module (Gemma) is included, one applied by the model afterwards (Granite) is not.

    Args:
        config: The adapter's settings, `token_dim` and `vocab_size` filled in.
        embeddings: The base model's input embeddings; frozen, and not a part of this module.
    """

    def __init__(self, config: QPeftConfig, embeddings: nn.Module) -> None:
        super().__init__()
        self.config = config
        width, rows = cast(int, config.token_dim), cast(int, config.vocab_size)
        if config.instruction_mode == "soft":
            self.instruction = nn.Parameter(_rows(embeddings, torch.tensor(config.instruction_ids), width))
        if config.variant == "none":
            return
        if config.hint_table == "copy":
            self.table = nn.Parameter(_rows(embeddings, torch.arange(rows), width))
        elif config.hint_table == "low-rank":
            self.table_a = nn.Parameter(torch.randn(rows, config.hint_table_rank) / config.hint_table_rank**0.5)
            self.table_b = nn.Parameter(torch.zeros(config.hint_table_rank, width))
        self.mlp = HintMLP(width, config.mlp_layers, config.mlp_residual)
        if config.variant == "attention":
            self.attention = nn.MultiheadAttention(
                width, config.num_heads, dropout=config.attention_dropout, batch_first=True
            )
            if config.attention_start == "matching":
                _start_by_matching(self.attention, embeddings)
            if config.pooled_hints:
                self.pool = nn.Parameter(torch.randn(config.pooled_hints, width) * width**-0.5)

    def embed(self, ids: torch.Tensor, embeddings: nn.Module) -> torch.Tensor:
        """What hints are made of, for token ids `[...]`: float32 `[..., width]`."""
        if self.config.hint_table == "copy":
            return self.table[ids]
        vectors = cast(torch.Tensor, embeddings(ids)).float()
        if self.config.hint_table == "low-rank":
            vectors = vectors + self.table_a[ids] @ self.table_b
        return vectors

    def retrieved(self, hint_ids: torch.Tensor, embeddings: nn.Module) -> torch.Tensor:
        """Q-PEFT-R: h = MLP(E(token)).

        Args:
            hint_ids: Chosen tokens, int64 `[batch, hints]`.
            embeddings: The base model's input embeddings.

        Returns:
            float32 `[batch, hints, width]`.
        """
        return cast(torch.Tensor, self.mlp(self.embed(hint_ids, embeddings)))

    def attended(
        self,
        query_ids: torch.Tensor,
        query_mask: torch.Tensor,
        passage_ids: torch.Tensor,
        passage_mask: torch.Tensor,
        embeddings: nn.Module,
    ) -> torch.Tensor:
        """Q-PEFT-A: h = MLP(MultiheadAttention(query = E(q), key = value = E(d))).

        There is no path from the query around the attention: it would give the query away whatever the passage is.

        Args:
            query_ids: int64 `[batch, n]`, padded on the right.
            query_mask: bool `[batch, n]`, true at query tokens.
            passage_ids: int64 `[batch, p]`, padded on the right.
            passage_mask: bool `[batch, p]`, true at the passage's tokens that take part; a row without any is allowed
                (its hints are finite and belong nowhere).
            embeddings: The base model's input embeddings.

        Returns:
            float32 `[batch, n, width]`, or `[batch, pooled_hints, width]`.
        """
        queries = self.embed(query_ids, embeddings)
        if self.config.pooled_hints:
            weights = (self.pool @ queries.transpose(1, 2)).masked_fill(~query_mask[:, None], float("-inf")).softmax(-1)
            queries = weights @ queries
        passages = cast(torch.Tensor, embeddings(passage_ids)).float()
        ignored = ~passage_mask & passage_mask.any(1, keepdim=True)
        attended, _ = self.attention(queries, passages, passages, key_padding_mask=ignored, need_weights=False)
        return cast(torch.Tensor, self.mlp(attended))


# Equal tokens start so many nats above unrelated ones: enough to stand out among a passage's few hundred.
_MATCH = 8.0


def _start_by_matching(attention: nn.MultiheadAttention, embeddings: nn.Module) -> None:
    """Sets attention so that a query token finds its like in the passage and returns its embedding.

    Queries and keys are centred and scaled embeddings, values and output are the embeddings themselves.
    """
    weight = cast(torch.Tensor, embeddings.weight)
    if weight.device.type == "meta" or attention.out_proj.weight.device.type == "meta":
        return
    width = attention.embed_dim
    vectors = _rows(embeddings, torch.arange(min(len(weight), 16384)), width)
    centre = vectors.mean(0)
    per_head = (vectors - centre).square().sum(1).mean() / attention.num_heads
    scale = (_MATCH * (width / attention.num_heads) ** 0.5 / per_head.clamp(min=1e-12)).sqrt()
    identity = torch.eye(width, device=vectors.device)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([scale * identity, scale * identity, identity]))
        attention.in_proj_bias.copy_(torch.cat([-scale * centre, -scale * centre, torch.zeros_like(centre)]))
        attention.out_proj.weight.copy_(identity)
        attention.out_proj.bias.zero_()


def _rows(embeddings: nn.Module, ids: torch.Tensor, width: int) -> torch.Tensor:
    """The embeddings of `ids` in float32, through the module's call; empty on the meta device, where peft fills in."""
    device = cast(torch.Tensor, embeddings.weight).device
    if device.type == "meta" or torch.empty(0).device.type == "meta":
        return torch.empty(len(ids), width)
    with torch.no_grad():
        return torch.cat([embeddings(block.to(device)).float() for block in ids.split(16384)]).clone()  # type: ignore[no-untyped-call]
