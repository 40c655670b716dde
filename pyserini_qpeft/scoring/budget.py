"""Batches within a token budget, which is found from the device and halved whenever memory runs out."""

import logging
import math
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
BYTES_OF_A_TOKEN = 1 << 16
"""So many bytes beside a batch's activations, of logits or key-values, weigh as much as one of its tokens."""

_FEWEST_PAIRS = 256
_MOST_PAIRS = 32_768
_QUERY_BATCH_WORK = {"cpu": 1 << 37, "cuda": 1 << 47}
"""Weights that are read for all pairs of a query batch: minutes' work for usual machines, longer for slow ones."""


def query_batch_pairs(model: Any, device: torch.device) -> int:
    """How many pairs to score together: the more, the more often they share a passage, and the longer all wait."""
    weights: int = sum(weight.numel() for weight in model.parameters())
    pairs: int = _QUERY_BATCH_WORK.get(device.type, _QUERY_BATCH_WORK["cpu"]) // weights
    return min(_MOST_PAIRS, max(_FEWEST_PAIRS, pairs))


def logits_cost(places: int, vocabulary: int) -> int:
    """What the logits at so many places weigh in a batch, in tokens: they, their float32 copy and its log-softmax."""
    return math.ceil(12 * places * vocabulary / BYTES_OF_A_TOKEN)


class DoesNotFitError(QPeftError):
    """A single row is more than memory holds."""


class TokenBudget:
    """How many tokens, padding included, go through a model at once.

    Args:
        tokens: The budget to start with.
        device: Where the model is.

    Attributes:
        tokens: The budget now: smaller once memory has run out.
    """

    def __init__(self, tokens: int, device: torch.device) -> None:
        self.tokens = tokens
        self.device = device

    @classmethod
    def of(cls, model: Any, device: torch.device) -> "TokenBudget":
        """A first budget: on a GPU from its free memory, which a layer's activations must fit into."""
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
        """Calls `forward` with the rows of one batch after the other, longest first, until every row had its turn.

        Args:
            lengths: Tokens of each row.
            forward: Does the work of some rows; called again with fewer of them where memory runs out.
            extra: What each row takes besides, in tokens' worth.

        Raises:
            DoesNotFitError: If even one row alone does not fit into memory.
        """
        left = plan_batches(lengths, self.tokens, extra)
        while left:
            rows = left[0]
            if self._fits(rows, forward):
                left = left[1:]
            else:
                remaining = np.concatenate(left)
                self._halve(sum(lengths[i] for i in rows), len(rows))
                again = None if extra is None else [extra[i] for i in remaining]
                left = [remaining[b] for b in plan_batches([lengths[i] for i in remaining], self.tokens, again)]

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
        logger.warning("out of memory on %s: batches of %d tokens from here on", self.device, self.tokens)
