"""Masked attention in which several heads share keys and values, without copies of these for each head.

transformers copies keys and values to all heads of a group if there is a mask. Behind cached passages these copies take
longer than the attention itself. torch's kernel for CPUs reads the shared ones in place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

GROUPED = "sdpa_grouped"
"""The name of this attention. Another thread may see it in a configuration, in place of "sdpa"."""

_PLAIN = "sdpa"


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    grouped = getattr(module, "num_key_value_groups", 1) > 1 and attention_mask is not None
    if not grouped or dropout or any(settings.get(name) is not None for name in ("softcap", "position_bias", "cache")):
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **settings
        )
        return found
    seen = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return seen.transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, _attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)


@contextmanager
def grouped_attention(config: Any) -> Iterator[None]:
    """Lets a model attend without such copies during a block, if its attention is torch's ("sdpa").

    The setting is changed and put back. Several threads may do so at once: both kinds of attention give the same
    numbers, and at the end the setting is that of before.

    Args:
        config: The configuration of a model on a CPU.
    """
    if config._attn_implementation not in (_PLAIN, GROUPED):
        yield
        return
    config._attn_implementation = GROUPED
    try:
        yield
    finally:
        config._attn_implementation = _PLAIN
