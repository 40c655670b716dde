"""Attention of packed pairs without the scores that the mask hides, for training.

In a packed row a token sees the passage and its own pair. Attention with a mask computes the scores of all pairs of a
row with each other too, and if the mask is trained (the gate of hints) there is no fast kernel for it. Here a row has
scores with its passage, and each pair with itself. These are plain matrix products, and a gate costs no more time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pyserini_qpeft.qpeft.packing import SHARED, Packing

_HIDDEN = -3e4
"""Added to the scores of places that a token does not see. It is finite in float16 too: a token that sees nothing, such
as padding behind a row without a passage, would otherwise be no number, and would spread."""


class PackedAttention(TorchFunctionMode):
    """While this mode is active, torch's attention with the mask of a packed batch is computed in these parts.

    Every other call goes its normal way. So does attention with dropout, or with a mask that the model has changed, for
    example by adding position biases.

    Args:
        mask: `[batch, 1, length, before + length]`, the mask that the model gets; recognised by its identity.
        packing: The packing of the batch.
        known: bool `[batch, before]`, true at the tokens of cached passages; None without cached passages.
        bias: float `[batch, length]`, added to the attention that each place gets; None for none. `mask` has it too.
    """

    def __init__(
        self,
        mask: torch.Tensor,
        packing: Packing,
        known: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.mask = mask
        self.places = _PairPlaces(packing)
        device, length = mask.device, packing.pairs.shape[1]
        if known is None:
            shared = packing.pairs == SHARED
            known = shared[:, : max(1, int(shared.sum(1).max()))]
            seen = known[:, None] & torch.ones(length, known.shape[1], dtype=torch.bool, device=device).tril()
        else:
            seen = known[:, None].expand(-1, length, -1)
        self.shared = known.shape[1]
        seen = torch.cat([seen, self.places.seen()], dim=2)
        added = torch.zeros(seen.shape, device=device).masked_fill(~seen, _HIDDEN)
        if bias is not None:
            added = added + functional.pad(self.places.of_own_pair(bias), (self.shared, 0))
        self.added = added[:, None]

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Computes attention with `mask` in parts, and calls everything else."""
        named = kwargs or {}
        attention = function is functional.scaled_dot_product_attention and named.get("attn_mask") is self.mask
        # Layers below everything that is trained need no backward pass; the kernel is faster there.
        if attention and len(args) == 3 and not named.get("dropout_p") and _need_gradients(*args, self.mask):
            query, key, value = args
            return self._attend(query, key, value, named.get("scale"))
        return function(*args, **named)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
        """Attention of `[batch, heads, length, width]` over keys and values `[…, key heads, before + length, …]`."""
        batch, heads, length, width = query.shape
        groups, places = key.shape[1], self.places
        query = query * (width**-0.5 if scale is None else scale)
        pairs = [places.from_rows(each[:, :, -length:]) for each in (query, key, value)]
        scores = [
            (_grouped(query, groups) @ key[:, :, : self.shared].mT).view(batch, heads, length, -1),
            places.to_rows(_grouped(pairs[0], groups) @ pairs[1].mT, heads),
        ]
        joined = torch.cat(scores, dim=3)
        weights = (joined + self.added.to(joined.dtype)).softmax(3)
        shared, own = weights[..., : self.shared], places.from_rows(weights[..., self.shared :])
        read = (_grouped(shared, groups) @ value[:, :, : self.shared]).view(batch, heads, length, -1)
        return read + places.to_rows(_grouped(own, groups) @ pairs[2], heads)


class _PairPlaces:
    """Moves tensors between the rows of a packed batch and rows of one pair each.

    Args:
        packing: The packing of the batch.
    """

    def __init__(self, packing: Packing) -> None:
        pairs = packing.pairs
        rows, columns = (pairs >= 0).nonzero(as_tuple=True)
        numbers = pairs[rows, columns]
        sizes = numbers.bincount(minlength=packing.count)
        inside = torch.arange(len(numbers), device=pairs.device) - (sizes.cumsum(0) - sizes)[numbers]
        self.pairs = pairs
        self.longest = int(sizes.max())
        # Where each token of a pair stands in the rows, and each token of the rows in its pair; -1: nowhere.
        self.tokens = pairs.new_full((packing.count, self.longest), -1)
        self.tokens[numbers, inside] = rows * pairs.shape[1] + columns
        self.slots = torch.full_like(pairs, -1)
        self.slots[rows, columns] = numbers * self.longest + inside

    def from_rows(self, tensor: torch.Tensor) -> torch.Tensor:
        """From `[batch, heads, length, width]` to `[pairs, heads, longest pair, width]`."""
        return self._moved(tensor, self.tokens, self.slots)

    def to_rows(self, tensor: torch.Tensor, heads: int) -> torch.Tensor:
        """From `[pairs, groups, heads of a group · longest pair, width]` to `[batch, heads, length, width]`."""
        tensor = tensor.view(len(tensor), heads, self.longest, -1)
        return self._moved(tensor, self.slots, self.tokens)

    def seen(self) -> torch.Tensor:
        """bool `[batch, length, longest pair]`: which tokens of its pair each token sees."""
        inside = torch.arange(self.longest, device=self.pairs.device)
        return (self.slots >= 0)[..., None] & (inside <= (self.slots % self.longest)[..., None])

    def of_own_pair(self, values: torch.Tensor) -> torch.Tensor:
        """From a value for each token, `[batch, length]`, to those of its pair, `[batch, length, longest pair]`."""
        return values.flatten()[self.tokens.clamp(min=0)][self.pairs.clamp(min=0)]

    @staticmethod
    def _moved(tensor: torch.Tensor, places: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        flat = tensor.transpose(1, 2).reshape(back.numel(), -1)
        moved = cast(torch.Tensor, _Moved.apply(flat, places.flatten(), back.flatten()))
        return moved.view(*places.shape, tensor.shape[1], -1).transpose(1, 2)


class _Moved(torch.autograd.Function):
    """Rows of a matrix in another order. Every row has one place at most, so the way back is a move too."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, places: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(back)
        return _rows(matrix, places)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return _rows(gradient, back), None, None


def _rows(matrix: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return matrix.index_select(0, places.clamp(min=0)).masked_fill_((places < 0)[:, None], 0)


def _need_gradients(*tensors: torch.Tensor) -> bool:
    return any(tensor.requires_grad for tensor in tensors)


def _grouped(tensor: torch.Tensor, groups: int) -> torch.Tensor:
    """From `[batch, heads, length, width]` to `[batch, groups, heads of a group · length, width]`."""
    return tensor.reshape(len(tensor), groups, -1, tensor.shape[3])
