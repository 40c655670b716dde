"""What stands before the hints and the query, as the key-values that a model keeps of it."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from pyserini_qpeft.qpeft.packing import Packing


@dataclass(frozen=True, slots=True)
class CachedPassages:
    """The key-values of the passages of a batch, padded on the right.

    Attributes:
        states: `[layers, 2, batch, heads, length, width]`, keys and values of every layer.
        lengths: int64 `[batch]`, tokens of each.
    """

    states: torch.Tensor
    lengths: torch.Tensor

    def arguments(self, input_ids: torch.Tensor, packing: Packing | None = None) -> dict[str, Any]:
        """The keywords with which a model reads `input_ids`, int64 `[batch, length]`, right after the passages."""
        places = torch.arange(self.states.shape[-2], device=input_ids.device)
        known = places < self.lengths[:, None]
        if packing is None:
            following = torch.arange(input_ids.shape[1], device=input_ids.device)
            attending = torch.cat([known, torch.ones_like(input_ids, dtype=torch.bool)], dim=1)
            positions = self.lengths[:, None] + following
        else:
            visible = packing.visible()
            attending = torch.cat([known[:, None].expand(-1, visible.shape[1], -1), visible], dim=2)[:, None]
            positions = packing.places
        return {
            "past_key_values": Cache(layers=[_filled(layer[0], layer[1]) for layer in self.states]),
            "attention_mask": attending,
            "position_ids": positions,
        }


def _filled(keys: torch.Tensor, values: torch.Tensor) -> DynamicLayer:
    layer = DynamicLayer()
    layer.lazy_initialization(keys, values)
    # Put in as they are: `update` would copy them first.
    layer.keys, layer.values = keys, values
    return layer


def read_passages(model: Any, **text: torch.Tensor) -> torch.Tensor:
    """Runs a model over passages that are padded on the right.

    Args:
        model: A causal language model.
        **text: `input_ids`, int64 `[batch, length]`, or `inputs_embeds`, `[batch, length, width]`.

    Returns:
        Key-values as in `CachedPassages.states`; those at padding mean nothing.
    """
    cache = model(**text, use_cache=True, logits_to_keep=1).past_key_values
    return torch.stack([torch.stack([layer.keys, layer.values]) for layer in cache.layers])
