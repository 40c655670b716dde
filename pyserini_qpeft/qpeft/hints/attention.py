"""Q-PEFT-A: attention of the query over the passage gives the hints (arXiv 2404.04522, section 3)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from pyserini_qpeft.qpeft.embedding import embedding_rows
from pyserini_qpeft.qpeft.hints.rule import Array, HintedPair, HintRule, PairHints, PassageHints
from pyserini_qpeft.qpeft.hints.settings import TokenIds

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.hints.selection import HintSelector

_MATCH = 8.0
"""How far equal tokens are above unrelated ones at the start, in nats: enough to stand out among hundreds of tokens."""


class AttendedHints(HintRule):
    """h = MLP(MultiheadAttention(query = E(q), key = value = E(d))).

    There is one hint for each query token, or `pooled_hints` for every query. No path leads from the query around the
    attention into the hints: it would give the query away whatever the passage is.
    """

    title = "Q-PEFT-A: attended hints"

    def most(self, query: TokenIds) -> int:
        """`pooled_hints`, or one for each token of the query."""
        return self.settings.pooled_hints or len(query)

    def in_passage(self, tokens: TokenIds, selector: "HintSelector") -> PassageHints:
        """All tokens of the passage that no filter bars, repetitions included."""
        candidates = selector.candidates(tokens)
        return PassageHints(candidates, tokens[np.isin(tokens, candidates)])

    def for_pair(self, query: TokenIds, passage: PassageHints, selector: "HintSelector") -> PairHints:
        """As many hints as there can be; none if no token of the passage takes part."""
        return PairHints(self.most(query) if len(passage.attended) else 0)

    def inputs(self, pairs: Sequence[HintedPair]) -> dict[str, list[Array]]:
        """`query_ids`, `passage_ids`, and their masks `query_mask`, `passage_mask`."""
        queries, passages = [pair.query for pair in pairs], [pair.attended for pair in pairs]
        return {
            "query_ids": list(queries),
            "query_mask": [np.ones(len(ids), dtype=bool) for ids in queries],
            "passage_ids": list(passages),
            "passage_mask": [np.ones(len(ids), dtype=bool) for ids in passages],
        }

    def width(self, inputs: Mapping[str, Array]) -> int:
        """`pooled_hints`, or the tokens of the longest query."""
        return self.settings.pooled_hints or inputs["query_ids"].shape[1]

    def add_modules(self, prompt: Any, embeddings: nn.Module) -> None:
        """`attention`, and `pool` if hints are pooled."""
        settings, width = self.settings, prompt.config.token_dim
        prompt.attention = nn.MultiheadAttention(
            width, settings.num_heads, dropout=settings.attention_dropout, batch_first=True
        )
        if settings.attention_start == "matching":
            _start_by_matching(prompt.attention, embeddings)
        if settings.pooled_hints:
            prompt.pool = nn.Parameter(torch.randn(settings.pooled_hints, width) * width**-0.5)

    def vectors(self, prompt: Any, inputs: Mapping[str, torch.Tensor], embeddings: nn.Module) -> torch.Tensor:
        """Attends from the query over the passage.

        Args:
            prompt: The prompt, with `attention` and, if hints are pooled, `pool`.
            inputs: `query_ids` int64 `[pairs, n]`, `query_mask` bool `[pairs, n]`, `passage_ids` int64 `[pairs, p]`,
                `passage_mask` bool `[pairs, p]`. A pair whose passage mask is all false gets finite vectors that no
                place in the prompt uses.
            embeddings: The base model's input embeddings.

        Returns:
            float32 `[pairs, n, width]`, or `[pairs, pooled_hints, width]`.
        """
        queries = prompt.embed(inputs["query_ids"], embeddings)
        if self.settings.pooled_hints:
            weights = prompt.pool @ queries.transpose(1, 2)
            queries = weights.masked_fill(~inputs["query_mask"][:, None], float("-inf")).softmax(-1) @ queries
        passages = cast(torch.Tensor, embeddings(inputs["passage_ids"])).float()
        present = inputs["passage_mask"]
        ignored = ~present & present.any(1, keepdim=True)
        attended, _ = prompt.attention(queries, passages, passages, key_padding_mask=ignored, need_weights=False)
        return cast(torch.Tensor, prompt.mlp(attended))


def _start_by_matching(attention: nn.MultiheadAttention, embeddings: nn.Module) -> None:
    """Sets attention so that a query token finds its like in the passage and returns its embedding.

    Queries and keys are centred and scaled embeddings; values and output are the embeddings themselves.
    """
    weight = cast(torch.Tensor, embeddings.weight)
    if weight.device.type == "meta" or attention.out_proj.weight.device.type == "meta":
        return
    width = attention.embed_dim
    vectors = embedding_rows(embeddings, torch.arange(min(len(weight), 16384)), width)
    centre = vectors.mean(0)
    per_head = (vectors - centre).square().sum(1).mean() / attention.num_heads
    scale = (_MATCH * (width / attention.num_heads) ** 0.5 / per_head.clamp(min=1e-12)).sqrt()
    identity = torch.eye(width, device=vectors.device)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([scale * identity, scale * identity, identity]))
        attention.in_proj_bias.copy_(torch.cat([-scale * centre, -scale * centre, torch.zeros_like(centre)]))
        attention.out_proj.weight.copy_(identity)
        attention.out_proj.bias.zero_()
