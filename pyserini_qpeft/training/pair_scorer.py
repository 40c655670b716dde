"""The module that the trainer trains: it scores batches of pairs, with gradients."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.batch import Batch
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.passage_cache import PassageCache


class PairScorer(nn.Module):
    """Scores all batches of a step in one call, so that several processes exchange gradients once per step.

    Args:
        model: A `PeftModel`.
        cache: Key-values of passages, or None. Possible if nothing trainable stands before the end of a passage. The
            batches then begin after the passages; gradients are the same.
        constant_memory: Keep the activations of one batch at a time (gradient checkpointing over batches). Each batch
            is computed a second time in the backward pass, with the same dropout; gradients are the same.
    """

    def __init__(self, model: Any, *, cache: PassageCache | None = None, constant_memory: bool = False) -> None:
        super().__init__()
        self.model = model
        self.cache = cache
        self.constant_memory = constant_memory
        self._pairs = PairModel(model)

    def forward(self, batches: list[Batch], shared: Sequence[Sequence[TokenIds]] = ()) -> torch.Tensor:
        """Mean log-likelihood of each pair's query, batch after batch: float32 `[pairs]`.

        Args:
            batches: Keyword arguments of one forward pass each.
            shared: With a cache, the token ids that stand before each row of each batch.
        """
        before: list[CachedPassages | None] = [None] * len(batches)
        if self.cache is not None:
            self.cache.fill([ids for batch in shared for ids in batch])
            before = [self.cache.batch(batch) for batch in shared]
        if self.constant_memory and torch.is_grad_enabled():
            return torch.cat(
                [checkpoint(self._scores, *both, use_reentrant=False) for both in zip(batches, before, strict=True)]
            )
        return torch.cat([self._scores(*both) for both in zip(batches, before, strict=True)])

    def _scores(self, batch: Batch, cached: CachedPassages | None) -> torch.Tensor:
        return cast(torch.Tensor, self._pairs.likelihood(batch, cached).scores)
