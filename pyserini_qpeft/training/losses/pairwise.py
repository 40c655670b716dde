"""Pairwise loss: a positive's score should exceed a negative's by a margin."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def pairwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes `max(0, margin - (s_p - s_n))`, averaged over a query's pairs of a positive and a negative.

    Args:
        lists: The scored candidates of each query.
        config: Gives the margin.

    Returns:
        float32 `[queries]`, 0 for a query without negatives.
    """
    above = lists.scores[:, :, None] - lists.scores[:, None, :]
    return mean_where(torch.relu(config.margin - above), lists.pairs())
