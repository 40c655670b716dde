"""The passage cache: in the suffix layout `[BOS][instruction][passage]` is read once, whatever the queries.

Its key-values are kept per passage, the least recently used dropped first; hints, cue and query alone are then computed
for each pair. Scores are those without the cache.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.batch import padded
from pyserini_qpeft.scoring.budget import BYTES_OF_A_TOKEN, TokenBudget
from pyserini_qpeft.scoring.stored_passages import StoredPassages

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

Read = Callable[[npt.NDArray[np.int64]], torch.Tensor]
"""From passages `[batch, length]`, padded on the right, to key-values `[layers, 2, batch, heads, length, width]`."""


class PassageCache:
    """Key-values of passages, by their token ids.

    Args:
        read: Runs the model over passages.
        padding_id: The id at padding.
        sample: Any passage, read once to see how large key-values are.
        budget: How many tokens go through the model at once.
        limit: Bytes of key-values that are kept. A batch of passages that needs more gets it, for that time.
        stored: Key-values on disk, looked up before the model is asked; None for none.
    """

    def __init__(
        self,
        read: Read,
        padding_id: int,
        sample: TokenIds,
        budget: TokenBudget,
        limit: int,
        stored: StoredPassages | None = None,
    ) -> None:
        self.read = read
        self.padding_id = padding_id
        self.budget = budget
        self.limit = limit
        self.stored = stored
        self.bytes = 0
        self._kept: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._buffer: torch.Tensor | None = None
        states = read(sample[None])
        self._bytes_per_token = states.numel() * states.element_size() // len(sample)

    def blocks(self, shared: Sequence[TokenIds]) -> Iterator[npt.NDArray[np.int64]]:
        """Parts the rows so that the passages of each part fit the limit; rows of one passage stay together."""
        rows: dict[bytes, list[int]] = {}
        for row, ids in enumerate(shared):
            rows.setdefault(ids.tobytes(), []).append(row)
        block: list[int] = []
        size = 0
        # Those that are here already come first, before room is made for others.
        for _, members in sorted(rows.items(), key=lambda item: item[0] not in self._kept):
            needed = self.weigh(len(shared[members[0]]))
            if block and size + needed > self.limit:
                yield np.array(block)
                block, size = [], 0
            block += members
            size += needed
        if block:
            yield np.array(block)

    def weigh(self, tokens: int) -> int:
        """Bytes of the key-values of a passage of so many tokens."""
        return tokens * self._bytes_per_token

    def batch_cost(self, tokens: int) -> int:
        """How many tokens a passage of so many weighs in a batch of its followers."""
        return math.ceil(self.weigh(tokens) / BYTES_OF_A_TOKEN)

    def fill(self, shared: Sequence[TokenIds]) -> None:
        """Sees to it that all these passages are kept; others go, the least recently used first."""
        wanted = {ids.tobytes(): ids for ids in shared}
        for key in wanted:
            if key in self._kept:
                self._kept.move_to_end(key)
        missing = {key: ids for key, ids in wanted.items() if key not in self._kept}
        self._make_room(sum(self.weigh(len(ids)) for ids in missing.values()), wanted.keys())
        if self.stored is not None:
            for key, states in self.stored.load(missing):
                self._keep(key, states)
            missing = {key: ids for key, ids in missing.items() if key not in self._kept}
        rows = list(missing.values())

        def read(batch: npt.NDArray[np.int64]) -> None:
            ids = [rows[row] for row in batch]
            states = self.read(padded(ids, self.padding_id).astype(np.int64))
            # Copies, so that no passage keeps the whole batch's memory.
            parts = {one.tobytes(): states[:, :, i, :, : len(one)].clone() for i, one in enumerate(ids)}
            for key, part in parts.items():
                self._keep(key, part)
            if self.stored is not None:
                self.stored.save(parts)

        self.budget.run([len(ids) for ids in rows], read)

    def batch(self, shared: Sequence[TokenIds]) -> CachedPassages:
        """The key-values of passages that `fill` was called with, as one batch."""
        states = [self._kept[ids.tobytes()] for ids in shared]
        lengths = [one.shape[-2] for one in states]
        layers, both, heads, _, width = states[0].shape
        batch = self._room((layers, both, len(states), heads, max(lengths), width), states[0])
        places = _memory(batch)
        for row, (one, length) in enumerate(zip(states, lengths, strict=True)):
            places[:, :, row, :, :length] = _memory(one)
            places[:, :, row, :, length:] = 0
        return CachedPassages(batch, torch.tensor(lengths, device=batch.device))

    def _room(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """An uninitialised tensor; without gradients always the same memory: fresh pages cost more than copies."""
        if torch.is_grad_enabled():
            return like.new_empty(shape)
        size = math.prod(shape)
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = like.new_empty(size)
        return self._buffer[:size].view(shape)

    def _keep(self, key: bytes, states: torch.Tensor) -> None:
        self._kept[key] = states
        self.bytes += states.numel() * states.element_size()

    def _make_room(self, needed: int, wanted: Any) -> None:
        for key in list(self._kept):
            if self.bytes + needed <= self.limit:
                return
            if key not in wanted:
                states = self._kept.pop(key)
                self.bytes -= states.numel() * states.element_size()


def _memory(tensor: torch.Tensor) -> Any:
    """A tensor to copy to and from: on a CPU as an array, since torch's threads cost more than so small a copy."""
    if tensor.device.type != "cpu":
        return tensor
    return tensor.view(_INTEGERS[tensor.element_size()]).numpy()


def why_not_cached(model: Any, adapter: QPeftConfig | None) -> str | None:
    """Why a model's passages cannot be read without the query; None where they can.

    Args:
        model: A causal language model or a `PeftModel`.
        adapter: The active Q-PEFT adapter's settings, or None.
    """
    if adapter is not None and adapter.variant != "none" and adapter.hint_position == "prefix":
        return "its hints stand before the passage, which therefore reads otherwise with every query"
    layers = DynamicCache(config=model.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return "it has sliding-window (or recurrent) layers, which do not keep the whole passage"
    return None
