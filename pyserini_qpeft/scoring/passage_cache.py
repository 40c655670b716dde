"""The passage cache: key-values of passages, kept so that later queries need not read the passages again.

In the suffix layout `[BOS][instruction][passage]` stands before everything that depends on the query. The model reads
it once; for each further query it reads only the hints, the question label and the query. Scores are the same as
without the cache, up to rounding.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.budget import BYTES_PER_TOKEN, TokenBudget
from pyserini_qpeft.scoring.key_values import BatchMemory, KeyValues, memory
from pyserini_qpeft.scoring.passage_reader import PassageReader
from pyserini_qpeft.scoring.stored_passages import StoredPassages

logger = logging.getLogger(__name__)


class PassageCache:
    """Key-values of passages, found by the passages' token ids. The least recently used ones are dropped first.

    Several threads may use one cache: everything that changes it happens under `budget.lock`. A thread may drop the
    passages of another thread; `batch` reads missing ones again, so that its result is always complete.

    Args:
        reader: Reads passages with the model.
        budget: How many tokens may go through the model at once.
        limit: Bytes of key-values to keep. If the passages of one call need more, they are kept until the next call.
        stored: Key-values on disk, used before the model is; None for none. If they cannot be written any more, a
            warning says so, and nothing further is stored.
        alone: Read each passage in a batch of its own. Its key-values are then the same to the last bit each time.

    Attributes:
        bytes: Bytes of key-values kept now.
    """

    def __init__(
        self,
        reader: PassageReader,
        budget: TokenBudget,
        limit: int,
        stored: StoredPassages | None = None,
        *,
        alone: bool = False,
    ) -> None:
        self.reader = reader
        self.budget = budget
        self.limit = limit
        self.stored = stored
        self.alone = alone
        self.bytes = 0
        self._kept: OrderedDict[bytes, KeyValues] = OrderedDict()
        self._memory = BatchMemory()
        self._stores = stored is not None

    def blocks(self, shared: Sequence[TokenIds]) -> Iterator[npt.NDArray[np.int64]]:
        """Splits rows into blocks whose passages fit the limit together; rows of one passage stay together.

        Args:
            shared: The token ids before the queries, one array for each row.

        Yields:
            Numbers of the rows of one block.
        """
        rows: dict[bytes, list[int]] = {}
        for row, ids in enumerate(shared):
            rows.setdefault(ids.tobytes(), []).append(row)
        block: list[int] = []
        size = 0
        # Passages that are in the cache come first, before others push them out.
        for _, members in sorted(rows.items(), key=lambda entry: entry[0] not in self._kept):
            needed = self.weigh(len(shared[members[0]]))
            if block and size + needed > self.limit:
                yield np.array(block)
                block, size = [], 0
            block += members
            size += needed
        if block:
            yield np.array(block)

    def weigh(self, tokens: int) -> int:
        """Bytes of the key-values of a passage of `tokens` tokens, as they are kept."""
        return tokens * self.reader.layout.bytes_per_token

    def batch_cost(self, tokens: int) -> int:
        """Memory of the key-values of a passage of `tokens` tokens in a batch, counted in tokens of the budget."""
        return math.ceil(tokens * self.reader.layout.model_bytes_per_token / BYTES_PER_TOKEN)

    def fill(self, shared: Sequence[TokenIds]) -> None:
        """Reads those of the passages that are not in the cache, in batches as large as the budget allows.

        Args:
            shared: Token ids of the passages. Passages that are not among them may be dropped.

        Raises:
            DoesNotFitError: If one passage alone does not fit into memory.
        """
        wanted = {ids.tobytes(): ids for ids in shared}
        with self.budget.lock:
            for key in wanted:
                if key in self._kept:
                    self._kept.move_to_end(key)
            missing = {key: ids for key, ids in wanted.items() if key not in self._kept}
            self._make_room(sum(self.weigh(len(ids)) for ids in missing.values()), wanted)
            if self.stored is not None:
                for key, found in self.stored.load(missing):
                    self._keep(key, found)
            rows = [ids for key, ids in missing.items() if key not in self._kept]

        for part in [[ids] for ids in rows] if self.alone else [rows]:
            self.budget.run(self.reader.lengths(part), partial(self._read, part, wanted))

    def batch(self, shared: Sequence[TokenIds], *, reuse: bool = False, room: int = 0) -> CachedPassages:
        """The key-values of passages as one batch; those that are not in the cache are read first.

        Args:
            shared: Token ids of the passages, one array for each row of the batch.
            reuse: Use the same memory for each such batch, which is faster. The batch is then valid until the next
                call; hold `budget.lock` as long as you use it.
            room: Tokens behind the passages that the batch has room for, see `CachedPassages.room`.
        """
        with self.budget.lock:
            if any(ids.tobytes() not in self._kept for ids in shared):
                self.fill(shared)
            rows = [self._kept[ids.tobytes()] for ids in shared]
            lengths = [row.length for row in rows]
            layout, longest = self.reader.layout, max(lengths)
            shape = (layout.layers, 2, len(rows), layout.heads, longest + room, layout.width)
            if reuse:
                batch = self._memory.take(shape, layout.dtype, self.budget.device)
            else:
                batch = torch.empty(shape, dtype=layout.dtype, device=self.budget.device)
            for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
                row.write(batch[:, :, number, :, :length])
                memory(batch)[:, :, number, :, length:longest] = 0
        return CachedPassages(batch, torch.tensor(lengths, device=batch.device), room)

    def _read(self, passages: Sequence[TokenIds], wanted: Collection[bytes], rows: npt.NDArray[np.int64]) -> None:
        # Since `fill` looked, other threads may have read the same passages or used up the room.
        missing = [passages[row] for row in rows if passages[row].tobytes() not in self._kept]
        if not missing:
            return
        self._make_room(sum(self.weigh(len(ids)) for ids in missing), wanted)
        found = self.reader.read(missing)
        for key, kept in found.items():
            self._keep(key, kept)
        if self.stored is not None and self._stores:
            try:
                self.stored.save(found)
            except QPeftError as error:  # the scores do not need it
                self._stores = False
                logger.warning("no further passages are stored: %s", error)

    def _keep(self, key: bytes, kept: KeyValues) -> None:
        self._kept[key] = kept
        self.bytes += kept.bytes

    def _make_room(self, needed: int, wanted: Collection[bytes]) -> None:
        for key in list(self._kept):
            if self.bytes + needed <= self.limit:
                return
            if key not in wanted:
                self.bytes -= self._kept.pop(key).bytes


def why_not_cached(model: Any, adapter: QPeftConfig | None) -> str | None:
    """Why a model cannot read passages without the query, as half a sentence; None if it can.

    Args:
        model: A causal language model or a `PeftModel`.
        adapter: The settings of the active Q-PEFT adapter, or None.
    """
    if adapter is not None and adapter.hints_come_first:
        return "its hints stand before the passage, so the passage reads differently with every query"
    layers = DynamicCache(config=model.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return "it has sliding-window (or recurrent) layers, which do not keep the whole passage"
    return None
