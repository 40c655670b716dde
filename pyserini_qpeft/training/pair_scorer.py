"""A model that scores batches of pairs with gradients: what the trainer trains."""

from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pyserini_qpeft.qpeft.likelihood import query_likelihood
from pyserini_qpeft.scoring.batch import Batch
from pyserini_qpeft.scoring.scorer import active_adapter


class PairScorer(nn.Module):
    """Scores all batches of a step in one call, so that gradients meet once over processes.

    Args:
        model: A `PeftModel`.
        constant_memory: Keep the activations of one batch at a time. Scores are then computed without them, and once
            more, batch by batch with the same dropout, when the loss's derivative by the scores is known; gradients
            are the same.
    """

    def __init__(self, model: Any, *, constant_memory: bool = False) -> None:
        super().__init__()
        self.model = model
        self.constant_memory = constant_memory
        self._with_prompt = active_adapter(model) is not None

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        """Mean log-likelihood of each pair's query, batch after batch: float32 `[pairs]`."""
        if self.constant_memory and torch.is_grad_enabled():
            return torch.cat([checkpoint(self._scores, batch, use_reentrant=False) for batch in batches])
        return torch.cat([self._scores(batch) for batch in batches])

    def _scores(self, batch: Batch) -> torch.Tensor:
        likelihood = self.model(**batch) if self._with_prompt else query_likelihood(self.model, **batch)
        return cast(torch.Tensor, likelihood.scores)
