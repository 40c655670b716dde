"""Pointwise: the negative log-likelihood of the query given its positives."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def pointwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Mean over a query's positives of NLL = -score; float32 `[queries]`."""
    return mean_where(-lists.scores, lists.positive)
