"""Log-likelihood of the query's tokens under a causal language model, logits computed where they are needed only."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers.utils import ModelOutput

from pyserini_qpeft.qpeft.context import Context


@dataclass
class QueryLikelihood(ModelOutput):  # type: ignore[misc]
    """What a forward pass over a batch of pairs gives.

    Attributes:
        scores: Mean natural-log probability of each pair's query tokens, float32 `[batch]`.
        token_logprobs: Of every query token, row after row, float32 `[tokens]`.
        token_rows: The batch row each of them belongs to, int64 `[tokens]`.
    """

    scores: torch.Tensor | None = None
    token_logprobs: torch.Tensor | None = None
    token_rows: torch.Tensor | None = None


def query_likelihood(
    model: Any,
    input_ids: torch.Tensor,
    target_mask: torch.Tensor,
    inputs_embeds: torch.Tensor | None = None,
    context: Context | None = None,
) -> QueryLikelihood:
    """Scores a right-padded batch: score = 1/n · Σ log p(q_t | everything before it).

    Without a context no attention mask is given: padding stands after the last query token, where causal attention
    never looks, and without a mask the fastest attention kernels apply.

    Args:
        model: A causal language model that takes `logits_to_keep` (transformers 5.21 or newer).
        input_ids: int64 `[batch, length]`, padded on the right.
        target_mask: bool `[batch, length]`, true at query tokens; never at the first position.
        inputs_embeds: `[batch, length, width]`, given to the model in place of `input_ids`.
        context: What stands before `input_ids`, read by the model already.

    Returns:
        The likelihoods; log-softmax is taken in float32 whatever the model's dtype.
    """
    predicting = torch.zeros_like(target_mask)
    predicting[:, :-1] = target_mask[:, 1:]
    text = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    before = {} if context is None else context.arguments(input_ids)
    logits = model(**text, **before, logits_to_keep=predicting, use_cache=False).logits
    logprobs = -functional.cross_entropy(logits.float(), input_ids[target_mask], reduction="none")
    rows = target_mask.nonzero()[:, 0]
    totals = logprobs.new_zeros(len(input_ids)).index_add(0, rows, logprobs)
    return QueryLikelihood(scores=totals / target_mask.sum(1), token_logprobs=logprobs, token_rows=rows)
