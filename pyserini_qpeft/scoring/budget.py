"""The token budget: how many tokens one batch may hold. It is halved when memory runs out."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.batch import plan_batches

logger = logging.getLogger(__name__)

_CPU_BATCH_TOKENS = 4096
_MOST_BATCH_TOKENS = 65536
BYTES_PER_TOKEN = 1 << 16
"""Memory beside a batch's activations (logits, key-values) is counted in tokens: this many bytes as one token."""

_MOST_PAIRS = 32_768
_QUERY_BATCH_WORK = {"cpu": 1 << 34, "cuda": 1 << 44}
"""Pairs in a query batch times weights of the model's layers: under a minute of work on two cores, or on one GPU."""


def query_batch_pairs(model: Any, device: torch.device) -> int:
    """Chooses how many pairs to score together, from the size of the model and the device.

    More pairs share more passages, but results come later, and a run that is stopped loses more work. The choice does
    not depend on how busy the machine is: a resumed run must score the same pairs together.
    """
    # A token only looks up its row of the embeddings, and logits are computed for query tokens alone.
    tables = [table for table in (model.get_input_embeddings(), model.get_output_embeddings()) if table is not None]
    excluded = {weight for table in tables for weight in table.parameters()}
    weights: int = sum(weight.numel() for weight in model.parameters() if weight not in excluded)
    pairs: int = _QUERY_BATCH_WORK.get(device.type, _QUERY_BATCH_WORK["cpu"]) // max(1, weights)
    return min(_MOST_PAIRS, max(1, pairs))


def logits_cost(positions: int, vocabulary: int) -> int:
    """Memory of the logits at `positions` positions, their float32 copy and its log-softmax, counted in tokens."""
    return math.ceil(12 * positions * vocabulary / BYTES_PER_TOKEN)


class DoesNotFitError(QPeftError):
    """A single row needs more memory than the device has."""


class TokenBudget:
    """The number of tokens, padding included, that may go through a model at once.

    Several threads may use one budget. Their batches then go through the model one at a time: two batches at once
    would need twice the memory, and torch uses all cores for one batch already. A thread waits for one batch of
    another thread, not for all of its batches.

    Args:
        tokens: The budget at the start.
        device: The device of the model.

    Attributes:
        tokens: The budget now. It gets smaller when memory runs out, and stays so.
        lock: Held while a batch goes through the model. Hold it to change anything that a batch reads, such as the
            passage cache. The thread that holds it may acquire it again.
    """

    def __init__(self, tokens: int, device: torch.device) -> None:
        self.tokens = tokens
        self.device = device
        self.lock = threading.RLock()

    @classmethod
    def of(cls, model: Any, device: torch.device) -> "TokenBudget":
        """Chooses the first budget: on a GPU so that the activations of a layer fit its free memory."""
        if device.type != "cuda":
            return cls(_CPU_BATCH_TOKENS, device)
        free, _ = torch.cuda.mem_get_info(device)
        width = model.config.hidden_size
        per_token = 4 * (8 * width + 3 * getattr(model.config, "intermediate_size", 4 * width))
        return cls(int(min(_MOST_BATCH_TOKENS, max(2048, free // 2 // per_token))), device)

    def run(
        self,
        lengths: Sequence[int],
        forward: Callable[[npt.NDArray[np.int64]], None],
        extra: Sequence[int] | None = None,
    ) -> None:
        """Calls `forward` with the rows of one batch after another, longest rows first, until all rows are done.

        Args:
            lengths: Tokens of each row.
            forward: Computes the rows of one batch, given by their numbers. If memory runs out it is called again
                with fewer rows.
            extra: Other memory that each row needs, counted in tokens.

        Raises:
            DoesNotFitError: If one row alone does not fit into memory.
        """
        planned = self.tokens
        left = plan_batches(lengths, planned, extra)
        while left:
            rows = left[0]
            with self.lock:
                # If another thread has lowered the budget since, the batch is too large: no need to try it.
                if self.tokens >= planned:
                    if self._fits(rows, forward):
                        left = left[1:]
                        continue
                    self._halve(sum(lengths[i] for i in rows), len(rows))
                planned = self.tokens
            remaining = np.concatenate(left)
            again = None if extra is None else [extra[i] for i in remaining]
            left = [remaining[b] for b in plan_batches([lengths[i] for i in remaining], planned, again)]

    def _fits(self, rows: npt.NDArray[np.int64], forward: Callable[[npt.NDArray[np.int64]], None]) -> bool:
        try:
            forward(rows)
            return True
        except RuntimeError as error:
            if "memory" not in str(error).lower():
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return False

    def _halve(self, tokens: int, rows: int) -> None:
        if rows == 1:
            raise DoesNotFitError(
                f"out of memory on {self.device} with a single passage of {tokens} tokens: "
                "use a smaller model, fewer passage tokens or another device."
            )
        self.tokens = max(1, min(self.tokens, tokens) // 2)
        logger.warning("out of memory on %s: batches hold at most %d tokens from now on", self.device, self.tokens)
