"""Which loss, and its numbers."""

from dataclasses import dataclass, field
from typing import Literal

from pyserini_qpeft.errors import QPeftError


@dataclass(frozen=True)
class LossConfig:
    """Settings of the loss.

    Raises:
        QPeftError: If a number is out of its range.
    """

    loss: Literal["both", "pointwise", "pairwise", "listwise", "margin-mse"] = field(
        default="both",
        metadata={"help": "both is the paper's: pointwise + pairwise; listwise has ranked better (RESULTS.md)"},
    )
    margin: float = field(default=0.0, metadata={"help": "pairwise: how far a positive has to be above a negative"})
    temperature: float = field(default=0.2, metadata={"help": "listwise: scores are divided by it"})
    teacher_scale: float = field(
        default=0.1, metadata={"help": "margin-mse: the teacher's differences are multiplied by it"}
    )

    def __post_init__(self) -> None:
        if self.margin < 0 or self.temperature <= 0 or self.teacher_scale <= 0:
            raise QPeftError("margin must be at least 0, temperature and teacher_scale above 0.")
