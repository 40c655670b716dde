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
        states: `[layers, 2, batch, heads, length + room, width]`, keys and values of every layer.
        lengths: int64 `[batch]`, tokens of each.
        room: Places behind the passages, for the key-values of what the model reads next. It writes them there, which
            saves a copy of the passages; without enough room, or with gradients, it makes the copy.
    """

    states: torch.Tensor
    lengths: torch.Tensor
    room: int = 0

    def known(self) -> torch.Tensor:
        """bool `[batch, length]`, true at the tokens of passages and false at padding."""
        places = torch.arange(self.states.shape[-2] - self.room, device=self.lengths.device)
        return places < self.lengths[:, None]

    def arguments(self, input_ids: torch.Tensor, packing: Packing | None = None) -> dict[str, Any]:
        """The keywords with which a model reads `input_ids`, int64 `[batch, length]`, right after the passages."""
        known = self.known()
        length = known.shape[1]
        if packing is None:
            following = torch.arange(input_ids.shape[1], device=input_ids.device)
            attending = torch.cat([known, torch.ones_like(input_ids, dtype=torch.bool)], dim=1)
            positions = self.lengths[:, None] + following
        else:
            visible = packing.visible()
            attending = torch.cat([known[:, None].expand(-1, visible.shape[1], -1), visible], dim=2)[:, None]
            positions = packing.places
        return {
            "past_key_values": Cache(layers=[_LayerWithRoom(keys, values, length) for keys, values in self.states]),
            "attention_mask": attending,
            "position_ids": positions,
        }


class _LayerWithRoom(DynamicLayer):  # type: ignore[misc]
    """A layer of a cache that begins with passages, and has room for what follows."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self._whole = keys, values
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys[..., :length, :], values[..., :length, :]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start = self.keys.shape[-2]
        stop = start + key_states.shape[-2]
        keys, values = self._whole
        if stop > keys.shape[-2] or torch.is_grad_enabled():
            both: tuple[torch.Tensor, torch.Tensor] = super().update(key_states, value_states, *args, **kwargs)
            return both
        keys[..., start:stop, :], values[..., start:stop, :] = key_states, value_states
        self.keys, self.values = keys[..., :stop, :], values[..., :stop, :]
        return self.keys, self.values


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
