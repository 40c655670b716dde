"""Margin-MSE: a positive's lead over a negative as a teacher sees it (Hofstätter et al., arXiv 2010.02666)."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def margin_mse(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Mean over a query's pairs of the squared error of the difference; float32 `[queries]`.

    Pairs of which the teacher knows but one passage are left out.
    """
    assert lists.teacher is not None, "margin-mse needs a teacher's scores"
    wanted = (lists.teacher[:, :, None] - lists.teacher[:, None, :]) * config.teacher_scale
    actual = lists.scores[:, :, None] - lists.scores[:, None, :]
    known = lists.pairs() & wanted.isfinite()
    return mean_where((actual - wanted.nan_to_num(0.0, 0.0, 0.0)).square(), known)
