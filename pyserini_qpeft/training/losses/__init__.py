"""Losses over each query's list of scored candidates, one file each."""

from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists
from pyserini_qpeft.training.losses.listwise import listwise
from pyserini_qpeft.training.losses.margin_mse import margin_mse
from pyserini_qpeft.training.losses.pairwise import pairwise
from pyserini_qpeft.training.losses.pointwise import pointwise
from pyserini_qpeft.training.losses.pointwise_and_pairwise import pointwise_and_pairwise

LOSSES = {
    "both": pointwise_and_pairwise,
    "pointwise": pointwise,
    "pairwise": pairwise,
    "listwise": listwise,
    "margin-mse": margin_mse,
}
"""Each takes the lists and the settings and returns one value for each query, float32 `[queries]`."""

__all__ = ["LOSSES", "LossConfig", "ScoredLists"]
