"""Listwise loss: softmax cross-entropy of each positive against the negatives of its query."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def listwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes `-log(exp(s/t) / (exp(s/t) + Σ exp(n/t)))`, averaged over a query's positives.

    `s` is the positive's score, `n` are the scores of all negatives, `t` is the temperature. Other positives are not
    in the denominator.

    Args:
        lists: The scored candidates of each query.
        config: Gives the temperature.

    Returns:
        float32 `[queries]`, 0 for a query without negatives.
    """
    scaled = lists.scores / config.temperature
    # Not minus infinity: the gradient of a list without negatives would be NaN.
    negatives = scaled.masked_fill(~lists.negative, -1e9).logsumexp(1, keepdim=True)
    return mean_where(torch.logaddexp(scaled, negatives) - scaled, lists.positive)
