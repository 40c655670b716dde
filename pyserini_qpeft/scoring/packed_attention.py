"""Attention of packed rows on a CPU that computes only what the mask leaves.

In a packed row a token of a pair sees the passage and its own pair. A kernel with a mask computes all other products too
and throws them away, most of the work in a row of many pairs. Here the passage attends to itself, each pair attends to
the passage and to itself, and the two parts of a pair are joined by their log-sum-exp, as flash attention joins blocks
(Dao et al., arXiv 2205.14135).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.packing import PADDING, Packing

_SHORTEST = 8
"""Pairs are grouped by length, doubling from this, so that a long one does not lengthen all others."""

Attended = tuple[torch.Tensor, torch.Tensor]
"""The output of attention `[batch, heads, length, width]` and its log-sum-exp `[batch, heads, length]`."""


@contextmanager
def packed_attention(packing: Packing | None, cached: CachedPassages | None = None) -> Iterator[None]:
    """Within this context, a model on a CPU computes the attention of packed rows without masked products.

    It replaces `scaled_dot_product_attention` if that is called with a mask for the rows of this packing. Nothing
    changes without a packing, on other devices, or if gradients are needed.

    Args:
        packing: Which pair is where, or None.
        cached: The key-values before the rows, or None.
    """
    if packing is None or packing.pairs.device.type != "cpu" or torch.is_grad_enabled() or not _has_kernel():
        yield
        return
    with _Replaced(_Rows(packing, cached)):
        yield


class _Replaced(TorchFunctionMode):
    """Calls `_Rows.attend` in place of `scaled_dot_product_attention`."""

    def __init__(self, rows: "_Rows") -> None:
        super().__init__()
        self.rows = rows

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is functional.scaled_dot_product_attention and self.rows.fit(*args, **given):
            return self.rows.attend(*args[:3], scale=given.get("scale"))
        return func(*args, **given)


class _Rows:
    """The places of passages and pairs in the rows of a batch.

    Args:
        packing: Which pair is where.
        cached: The key-values before the rows, or None.
    """

    def __init__(self, packing: Packing, cached: CachedPassages | None) -> None:
        pairs = packing.pairs
        self.shape = pairs.shape
        own = (pairs != PADDING).sum(dim=1)
        if cached is None:
            self.before = 0
            self.shared = (pairs == -1).sum(dim=1).tolist()
            self.begins = self.shared
        else:
            self.before = cached.states.shape[-2]
            self.shared = cached.lengths.tolist()
            self.begins = [0] * len(pairs)
        self.ends = own.tolist()
        self.groups = _groups(pairs)

    def fit(self, *args: Any, attn_mask: torch.Tensor | None = None, **others: Any) -> bool:
        """Whether this is a call for these rows with a mask, and one that `attend` can answer."""
        if len(args) != 3 or attn_mask is None or others.get("dropout_p") or others.get("is_causal"):
            return False
        query, key, value = args
        rows, length = self.shape
        return bool(
            query.shape[0] == rows
            and query.shape[2] == length
            and key.shape[2] == self.before + length
            and query.shape[1] == key.shape[1] == value.shape[1]
            and query.shape[3] == value.shape[3]
            and query.dtype in (torch.bfloat16, torch.float32)
        )

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None = None
    ) -> torch.Tensor:
        """Attention `[batch, heads, length, width]`; zero at padding."""
        # In memory a token's heads stand together, as the model's next step wants them.
        output = query.new_zeros(query.transpose(1, 2).shape).transpose(1, 2)
        passages = []
        for row, (shared, begin, end) in enumerate(zip(self.shared, self.begins, self.ends, strict=True)):
            one = slice(row, row + 1)
            keys, values = key[one, :, :shared], value[one, :, :shared]
            if begin:
                output[one, :, :begin] = _flash(query[one, :, :begin], keys, values, scale, causal=True)[0]
            passages.append(_flash(query[one, :, begin:end], keys, values, scale, causal=False) if shared else None)
        own_keys, own_values = key[:, :, self.before :], value[:, :, self.before :]
        pairs = self._pairs(query, own_keys, own_values, scale)
        for row, (begin, end) in enumerate(zip(self.begins, self.ends, strict=True)):
            part = (pairs[0][row : row + 1, :, begin:end], pairs[1][row : row + 1, :, begin:end])
            passage = passages[row]
            output[row : row + 1, :, begin:end] = part[0] if passage is None else _joined(passage, part)
        return output

    def _pairs(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> Attended:
        """Attention of each pair to itself alone, at the pair's places in its row."""
        rows, heads, length, width = query.shape
        output = query.new_zeros(rows * length, heads, width)
        sums = query.new_zeros(rows * length, heads, dtype=torch.float32)
        flat = [tensor.transpose(1, 2).reshape(rows * length, heads, width) for tensor in (query, key, value)]
        for places, real in self.groups:
            several = [tensor[places].transpose(1, 2) for tensor in flat]
            attended, sum_exp = _flash(*several, scale, causal=True)
            output[places[real]] = attended.transpose(1, 2)[real]
            sums[places[real]] = sum_exp.transpose(1, 2)[real]
        return output.view(rows, length, heads, width).transpose(1, 2), sums.view(rows, length, heads).transpose(1, 2)


def _groups(pairs: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The places of the tokens of each pair, in groups of pairs of similar length.

    Returns:
        For each group the places in the flattened batch, int64 `[pairs, longest]`, and which of them are real, bool
        alike. A shorter pair is filled up with its last place: its real tokens do not see what comes after them.
    """
    flat = pairs.flatten()
    places = (flat >= 0).nonzero()[:, 0]
    _, lengths = flat[places].unique_consecutive(return_counts=True)
    begins = places[lengths.cumsum(0) - lengths]
    grouped = []
    longest, shorter = _SHORTEST, 0
    while len(lengths) and shorter < int(lengths.max()):
        chosen = (lengths > shorter) & (lengths <= longest)
        if chosen.any():
            counts = lengths[chosen][:, None]
            steps = torch.arange(int(counts.max()))
            grouped.append((begins[chosen][:, None] + torch.minimum(steps, counts - 1), steps < counts))
        longest, shorter = 2 * longest, longest
    return grouped


def _joined(one: Attended, other: Attended) -> torch.Tensor:
    """Attention over two sets of keys, from attention over each."""
    share = torch.sigmoid(one[1] - other[1])[..., None]
    return torch.lerp(other[0].float(), one[0].float(), share)


def _flash(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None, *, causal: bool
) -> Attended:
    attended: Attended = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, causal, scale=scale
    )
    return attended


def _has_kernel() -> bool:
    return hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")
