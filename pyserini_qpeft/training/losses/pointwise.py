"""Pointwise loss: the negative log-likelihood of the query given each positive."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def pointwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes `-s`, averaged over a query's positives, where `s` is the mean log-likelihood of the query's tokens.

    Args:
        lists: The scored candidates of each query.
        config: Not used; every loss takes the same arguments.

    Returns:
        float32 `[queries]`.
    """
    return mean_where(-lists.scores, lists.positive)
