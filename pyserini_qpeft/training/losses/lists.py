"""The input of every loss: the scores of each query's candidates."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class ScoredLists:
    """The candidates of each query in one row; shorter rows are padded.

    Attributes:
        scores: Mean log-likelihoods, float32 `[queries, candidates]`.
        positive: bool `[queries, candidates]`, true at passages that answer the query.
        valid: bool `[queries, candidates]`, false at padding.
        teacher: A teacher's scores, float32 `[queries, candidates]`, NaN at passages that the teacher did not score;
            None without a teacher.
    """

    scores: torch.Tensor
    positive: torch.Tensor
    valid: torch.Tensor
    teacher: torch.Tensor | None = None

    @property
    def negative(self) -> torch.Tensor:
        """bool `[queries, candidates]`, true at passages that do not answer the query."""
        return self.valid & ~self.positive

    def pairs(self) -> torch.Tensor:
        """bool `[queries, candidates, candidates]`, true at [q, i, j] if i is a positive and j a negative of q."""
        return self.positive[:, :, None] & self.negative[:, None, :]


def mean_where(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The mean of each query's chosen values.

    Args:
        values: float32 `[queries, …]`.
        chosen: bool of the same shape.

    Returns:
        float32 `[queries]`, 0 for a query without a chosen value.
    """
    flat, mask = values.flatten(1), chosen.flatten(1)
    return torch.where(mask, flat, 0.0).sum(1) / mask.sum(1).clamp(min=1)
