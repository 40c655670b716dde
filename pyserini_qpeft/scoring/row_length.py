"""The length to which the rows of a batch are padded."""

from dataclasses import dataclass

import torch

_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class RowLength:
    """A rule for the length of the rows of a batch.

    Attributes:
        multiple: The length is a multiple of this many tokens.
        most: No row gets longer than this for the sake of the multiple; None is no limit.
    """

    multiple: int = 1
    most: int | None = None

    def of(self, longest: int) -> int:
        """The length of the rows of a batch whose longest row has `longest` tokens."""
        length = -(-longest // self.multiple) * self.multiple
        return length if self.most is None else max(longest, min(length, self.most))


def row_multiple(weight: torch.Tensor) -> int:
    """To a multiple of how many tokens rows are padded: 8 for bfloat16 on a CPU, otherwise 1.

    For such numbers oneDNN compiles code for each new shape of a matrix product, and attention without a mask is faster
    at these lengths. In float32 neither is so, and padding would cost time (`python -m benchmarks.padding`).

    Args:
        weight: Any weight of the model.
    """
    return _MULTIPLE if weight.device.type == "cpu" and weight.dtype == torch.bfloat16 else 1
