"""Margin-MSE: score differences should equal those of a teacher (Hofstätter et al., arXiv 2010.02666)."""

import torch

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists, mean_where


def margin_mse(lists: ScoredLists, config: LossConfig) -> torch.Tensor:
    """Computes `((s_p - s_n) - scale · (t_p - t_n))²`, averaged over a query's pairs of a positive and a negative.

    `s` are the model's scores and `t` the teacher's. A pair counts only if the teacher scored both passages.

    Args:
        lists: The scored candidates of each query, with the teacher's scores.
        config: Gives the teacher's scale.

    Returns:
        float32 `[queries]`, 0 for a query without such a pair.
    """
    assert lists.teacher is not None, "margin-mse needs a teacher's scores"
    wanted = (lists.teacher[:, :, None] - lists.teacher[:, None, :]) * config.teacher_scale
    actual = lists.scores[:, :, None] - lists.scores[:, None, :]
    known = lists.pairs() & wanted.isfinite()
    return mean_where((actual - wanted.nan_to_num(0.0, 0.0, 0.0)).square(), known)
