"""Several pairs of one passage in one row: the passage is read once, and no pair sees another."""

from dataclasses import dataclass

import torch

SHARED = -1
"""In `Packing.pairs`: read by all pairs of the row."""
PADDING = -2
"""In `Packing.pairs`: read by none."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Which pair stands where in a batch.

    Attributes:
        pairs: int64 `[batch, length]`, the number of the pair that a token belongs to, else `SHARED` or `PADDING`.
        places: int64 `[batch, length]`, a token's position if its pair stood alone behind the passage.
        count: How many pairs there are.
    """

    pairs: torch.Tensor
    places: torch.Tensor
    count: int

    def to(self, device: torch.device) -> "Packing":
        """The same on a device."""
        return Packing(self.pairs.to(device), self.places.to(device), self.count)

    def visible(self) -> torch.Tensor:
        """bool `[batch, length, length]`, true where the token of a row sees that of a column."""
        seen, seeing = self.pairs[:, None, :], self.pairs[:, :, None]
        # Padding sees the passage and itself: attention over nothing is no number, and would spread.
        return ((seen == seeing) | (seen == SHARED)).tril()
