"""Log-likelihood of the query's tokens under a causal language model, with logits at the query's positions only."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn import functional
from transformers.utils import ModelOutput

from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.packed_attention import PackedAttention
from pyserini_qpeft.qpeft.packing import Packing
from pyserini_qpeft.qpeft.token_logprobs import TokenLogprobs


@dataclass
class QueryLikelihood(ModelOutput):  # type: ignore[misc]
    """What a forward pass over a batch of pairs gives.

    Attributes:
        scores: Mean natural-log probability of each pair's query tokens, float32 `[pairs]`.
        token_logprobs: Of every query token, pair after pair, float32 `[tokens]`.
        token_pairs: The pair each of them belongs to, int64 `[tokens]`.
    """

    scores: torch.Tensor | None = None
    token_logprobs: torch.Tensor | None = None
    token_pairs: torch.Tensor | None = None


def query_likelihood(
    model: Any,
    input_ids: torch.Tensor,
    target_mask: torch.Tensor,
    inputs_embeds: torch.Tensor | None = None,
    cached: CachedPassages | None = None,
    packing: Packing | None = None,
    bias: torch.Tensor | None = None,
) -> QueryLikelihood:
    """Scores a right-padded batch: score = 1/n · Σ log p(q_t | everything before it).

    Without `cached` and `packing` no attention mask is given: padding stands after the last query token, where causal
    attention never looks, and without a mask the fastest attention kernels apply.

    Args:
        model: A causal language model that takes `logits_to_keep` (transformers 5.21 or newer).
        input_ids: int64 `[batch, length]`, padded on the right.
        target_mask: bool `[batch, length]`, true at query tokens; never at the first position.
        inputs_embeds: `[batch, length, width]`, given to the model in place of `input_ids`.
        cached: What stands before `input_ids`, read by the model already.
        packing: Which pair stands where; without it each row is one pair.
        bias: float32 `[batch, length]`, added to the attention that each place gets; needs `packing`.

    Returns:
        The likelihoods; log-softmax is taken in float32 whatever the model's dtype.
    """
    predicting = torch.zeros_like(target_mask)
    predicting[:, :-1] = target_mask[:, 1:]
    text = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    read = input_ids
    if packing is None and cached is not None:
        # Nothing comes after the last place. Behind cached passages it is one of few.
        read, predicting = input_ids[:, :-1], predicting[:, :-1]
        text = {name: value[:, :-1] for name, value in text.items()}
    reading = _reading(model, read, cached, packing, bias)
    with _attention(model, reading, cached, packing, bias):
        logits = model(**text, **reading, logits_to_keep=predicting, use_cache=False).logits
    logprobs = _logprobs(logits.flatten(0, -2), input_ids[target_mask])
    if packing is None:
        pairs, count = target_mask.nonzero()[:, 0], len(input_ids)
    else:
        pairs, count = packing.pairs[target_mask], packing.count
    totals = logprobs.new_zeros(count).index_add(0, pairs, logprobs)
    return QueryLikelihood(scores=totals / pairs.bincount(minlength=count), token_logprobs=logprobs, token_pairs=pairs)


def _logprobs(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    if logits.requires_grad:
        return cast(torch.Tensor, TokenLogprobs.apply(logits, ids))
    return -functional.cross_entropy(logits.float(), ids, reduction="none")


def _reading(
    model: Any,
    input_ids: torch.Tensor,
    cached: CachedPassages | None,
    packing: Packing | None,
    bias: torch.Tensor | None,
) -> dict[str, Any]:
    """The mask and positions of a batch: which tokens each token sees, and where it stands."""
    if cached is not None:
        reading = cached.arguments(input_ids, packing)
        most = getattr(model.config, "max_position_embeddings", None)
        if packing is None and most is not None:
            # Padding behind a long passage may stand where a model knows no place.
            reading["position_ids"] = reading["position_ids"].clamp(max=most - 1)
    elif packing is not None:
        reading = {"attention_mask": packing.visible()[:, None], "position_ids": packing.places}
    else:
        return {}
    if packing is not None and (bias is not None or model.config._attn_implementation == "eager"):
        # Eager attention adds the mask to its scores, whatever the mask's dtype.
        seen, dtype = reading["attention_mask"], model.get_input_embeddings().weight.dtype
        mask = torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        if bias is not None:
            # Cached passages stand before what the bias is for.
            mask = mask + functional.pad(bias, (seen.shape[-1] - bias.shape[-1], 0))[:, None, None].to(dtype)
        reading["attention_mask"] = mask
    return reading


def _attention(
    model: Any,
    reading: dict[str, Any],
    cached: CachedPassages | None,
    packing: Packing | None,
    bias: torch.Tensor | None,
) -> AbstractContextManager[object]:
    """Attention in parts, if gradients are wanted and the model attends by torch's function on a CPU."""
    if packing is None or not torch.is_grad_enabled() or model.config._attn_implementation != "sdpa":
        return nullcontext()
    # Kernels of GPUs take a mask, and do not keep the scores for the backward pass.
    if reading["attention_mask"].device.type != "cpu":
        return nullcontext()
    # Checkpointed layers are computed again in the backward pass, where the mode is not active.
    if any(getattr(module, "gradient_checkpointing", False) for module in model.modules()):
        return nullcontext()
    known = None if cached is None else cached.known()
    return PackedAttention(reading["attention_mask"], packing, known, bias)
