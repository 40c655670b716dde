"""Listwise: a positive should stand out from the negatives of its query, softmax cross-entropy over the list."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def listwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Mean over a query's positives of -log softmax over that positive and all negatives; float32 `[queries]`.

    Other positives stay out of the denominator: they are no competitors.
    """
    scaled = lists.scores / config.temperature
    # A large number, not infinity: a list without negatives would have no gradient but NaN.
    negatives = scaled.masked_fill(~lists.negative, -1e9).logsumexp(1, keepdim=True)
    return mean_where(torch.logaddexp(scaled, negatives) - scaled, lists.positive)
