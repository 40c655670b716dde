"""The value of the chosen loss for each query."""

from collections.abc import Callable
from importlib import import_module

import torch

from pyserini_qpeft.training.losses import LOSSES
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists


def query_losses(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes the loss of each query.

    Args:
        lists: The scored candidates of each query.
        config: Which loss, and its numbers.

    Returns:
        float32 `[queries]`.
    """
    name = LOSSES[config.loss]
    loss: Callable[[ScoredLists, LossConfig], torch.Tensor] = getattr(import_module(f"{__package__}.{name}"), name)
    return loss(lists, config)


def learns_without_negatives(config: LossConfig) -> bool:
    """Whether the loss has a gradient for a query that has positives only."""
    one = torch.ones(1, 1, dtype=torch.bool)
    scores = torch.full((1, 1), -1.0, requires_grad=True)
    lists = ScoredLists(scores, positive=one, valid=one, teacher=torch.zeros(1, 1))
    (gradient,) = torch.autograd.grad(query_losses(lists, config).sum(), scores)
    return bool(gradient.any())
