"""What every loss looks at: the scores of each query's candidates."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class ScoredLists:
    """Each query's candidates in one row, rows filled up to the same length.

    Attributes:
        scores: Mean log-likelihoods, float32 `[queries, candidates]`.
        positive: bool `[queries, candidates]`, true at passages that answer the query.
        valid: bool `[queries, candidates]`, false where a row is filled up.
        teacher: float32 `[queries, candidates]`, a teacher's scores, NaN where it has none; None without a teacher.
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
        """bool `[queries, candidates, candidates]`, true where the second is a positive and the third a negative."""
        return self.positive[:, :, None] & self.negative[:, None, :]


def mean_where(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The mean of the chosen values of each query, 0 where none is chosen.

    Args:
        values: float32 `[queries, …]`.
        chosen: bool of the same shape.

    Returns:
        float32 `[queries]`.
    """
    flat, mask = values.flatten(1), chosen.flatten(1)
    return torch.where(mask, flat, 0.0).sum(1) / mask.sum(1).clamp(min=1)
