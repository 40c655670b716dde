"""Which loss is used, and its numbers."""

from dataclasses import dataclass, field

from pyserini_qpeft.checks import check_number
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.training.losses import LOSSES


@dataclass(frozen=True)
class LossConfig:
    """Settings of the loss.

    Raises:
        QPeftError: The loss does not exist, or a number is out of its range.
    """

    loss: str = field(
        default="both",
        metadata={
            "help": "loss; both is the paper's sum of pointwise and pairwise, listwise has ranked better (RESULTS.md)",
            "choices": tuple(LOSSES),
        },
    )
    margin: float = field(
        default=0.0, metadata={"help": "pairwise: by how much a positive's score should exceed a negative's"}
    )
    temperature: float = field(default=0.2, metadata={"help": "listwise: scores are divided by it before the softmax"})
    teacher_scale: float = field(
        default=0.1, metadata={"help": "margin-mse: the teacher's score differences are multiplied by it"}
    )

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise QPeftError(
                f"there is no loss {self.loss!r}: use one of {', '.join(LOSSES)}.{did_you_mean(self.loss, LOSSES)}"
            )
        for name in ("margin", "temperature", "teacher_scale"):
            check_number(getattr(self, name), name, optional=False)
        if self.margin < 0 or self.temperature <= 0 or self.teacher_scale <= 0:
            raise QPeftError("margin must be at least 0, temperature and teacher_scale above 0.")
