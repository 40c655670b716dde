"""The loss of the Q-PEFT paper: pointwise plus pairwise (arXiv 2404.04522)."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists
from pyserini_qpeft.training.losses.pairwise import pairwise
from pyserini_qpeft.training.losses.pointwise import pointwise


def pointwise_and_pairwise(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes the sum of both losses.

    Args:
        lists: The scored candidates of each query.
        config: Gives the margin.

    Returns:
        float32 `[queries]`.
    """
    return pointwise(lists, config) + pairwise(lists, config)
