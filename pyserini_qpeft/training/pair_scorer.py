"""A model that scores batches of pairs with gradients: what the trainer trains."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.qpeft.cached_passages import CachedPassages
from pyserini_qpeft.qpeft.likelihood import query_likelihood
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.batch import Batch
from pyserini_qpeft.scoring.passage_cache import PassageCache


class PairScorer(nn.Module):
    """Scores all batches of a step in one call, so that gradients meet once over processes.

    Args:
        model: A `PeftModel`.
        cache: Key-values of passages, where nothing that is trained stands before their end; the batches are then of
            what stands behind them, and gradients are the same.
        constant_memory: Keep the activations of one batch at a time. Scores are then computed without them, and once
            more, batch by batch with the same dropout, when the loss's derivative by the scores is known; gradients
            are the same.
    """

    def __init__(self, model: Any, *, cache: PassageCache | None = None, constant_memory: bool = False) -> None:
        super().__init__()
        self.model = model
        self.cache = cache
        self.constant_memory = constant_memory
        self._with_prompt = active_adapter(model) is not None

    def forward(self, batches: list[Batch], shared: Sequence[Sequence[TokenIds]] = ()) -> torch.Tensor:
        """Mean log-likelihood of each pair's query, batch after batch: float32 `[pairs]`.

        Args:
            batches: Keyword arguments of one forward pass each.
            shared: With a cache, what stands before the pairs of each batch.
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
        if self._with_prompt:
            return cast(torch.Tensor, self.model(**batch, cached=cached).scores)
        return cast(torch.Tensor, query_likelihood(self.model, **batch, cached=cached).scores)
