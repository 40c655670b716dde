"""Pairwise: a positive should be above a negative by a margin."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def pairwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Mean over a query's pairs of relu(NLL(positive) - NLL(negative) + margin); float32 `[queries]`."""
    above = lists.scores[:, :, None] - lists.scores[:, None, :]
    return mean_where(torch.relu(config.margin - above), lists.pairs())
