"""Settings of windows: how long documents are cut, and how the likelihoods of the windows become one."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from pyserini_qpeft.checks import check_number, check_whole
from pyserini_qpeft.errors import QPeftError

Combine = Literal["max", "mean", "first", "smooth"]
COMBINE: tuple[str, ...] = get_args(Combine)

SMALLEST = 8
"""The fewest tokens that a window may have."""

USUAL_WINDOWS = 8
"""Assumed number of windows of a document that is not cut yet, about 2,000 tokens; query batches are sized by it."""


@dataclass(frozen=True)
class WindowConfig:
    """How a document that is longer than a window is cut, and how the likelihoods of its windows become one.

    Attributes:
        combine: `max` (the best window), `mean` (the mean of the best `best` windows), `first` (the first window, the
            only one that is read), or `smooth` (a smooth maximum, see `combining`).
        size: Tokens of a window, the repeated title included; None is as many as the model reads of a passage.
        stride: Tokens from the start of a window to the start of the next; None is a whole window, without overlap.
        best: How many windows `mean` takes.
        temperature: How smooth the smooth maximum is, in nats per query token: it is nearly the best window at 0.01,
            and nearly the mean of all windows at 10.
        title: Whether the first line of a document is repeated at the start of every window. A first line that takes
            more than a quarter of a window is not taken for a title.
        most: How many windows of a document are read, from its start; None is all.

    Raises:
        QPeftError: A value is unknown or out of range.
    """

    combine: Combine = "max"
    size: int | None = field(
        default=None, metadata={"help": "tokens of a window, title included (default: the passage tokens)"}
    )
    stride: int | None = field(
        default=None,
        metadata={
            "help": "tokens from the start of a window to the start of the next; less than a window makes them overlap "
            "(default: a whole window)"
        },
    )
    best: int = field(default=3, metadata={"help": "with mean: how many of the best windows are averaged"})
    temperature: float = field(
        default=0.3,
        metadata={"help": "with smooth: from 0.01 (nearly the best window) to 10 (nearly the mean of all)"},
    )
    title: bool = field(
        default=True, metadata={"help": "repeat a document's first line at the start of every window, if it is short"}
    )
    most: int | None = field(
        default=None, metadata={"help": "windows of a document that are read, from its start (default: all)"}
    )

    def __post_init__(self) -> None:
        if self.combine not in COMBINE:
            raise QPeftError(f"windows are combined by one of {', '.join(COMBINE)}, not {self.combine!r}.")
        check_whole(self.size, "the size of a window")
        if self.size is not None and self.size < SMALLEST:
            raise QPeftError(f"the size of a window must be at least {SMALLEST} tokens, not {self.size}.")
        for name in ("stride", "best", "most"):
            check_whole(getattr(self, name), f"{name} of windows", 1)
        check_number(self.temperature, "the temperature of windows", optional=False)
        if not 0 < self.temperature < math.inf:
            raise QPeftError(f"the temperature of windows must be above 0 and finite, not {self.temperature}.")

    def __str__(self) -> str:
        """How likelihoods are combined, in short."""
        match self.combine:
            case "mean":
                return f"mean of {self.best}"
            case "smooth":
                return f"smooth at {self.temperature:g}"
        return self.combine

    @property
    def read(self) -> int | None:
        """How many windows of a document are read; None is all."""
        return 1 if self.combine == "first" else self.most

    def check_size(self, passage_tokens: int) -> None:
        """Refuse windows that are longer than what is read of a passage.

        Args:
            passage_tokens: How many tokens of a passage are read.

        Raises:
            QPeftError: A window is longer.
        """
        if self.size is not None and self.size > passage_tokens:
            raise QPeftError(
                f"a window of {self.size} tokens is longer than the {passage_tokens} tokens that are read of a "
                f"passage: make it shorter, or set passage_tokens to {self.size}."
            )
