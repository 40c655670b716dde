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
    """Returns whether the loss has a gradient for a query that has positives only."""
    return bool(_gradient(torch.tensor([[-2.0]]), config).any())


def learns_from_negatives(config: LossConfig) -> bool:
    """Returns whether the loss depends on the scores of negatives."""
    return bool(_gradient(torch.tensor([[-2.0, -1.0]]), config)[:, 1:].any())


def _gradient(scores: torch.Tensor, config: LossConfig) -> torch.Tensor:
    """The loss's derivative by the scores of one query, whose first passage is a positive and the others negatives."""
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[:, 0] = True
    lists = ScoredLists(scores.requires_grad_(), positive, torch.ones_like(positive), torch.zeros_like(scores))
    (gradient,) = torch.autograd.grad(query_losses(lists, config).sum(), scores)
    return gradient
