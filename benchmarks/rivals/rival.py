"""The description of a way of scoring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.arithmetic import Reading
from benchmarks.sizes import ModelFolders

Scores = npt.NDArray[np.float32]
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A way of scoring with its model in memory.

    Attributes:
        model: The model, with or without peft.
        score: Returns the scores of pairs, float32, in their order.
        readings: Returns the tokens that the model reads for pairs, without padding.
    """

    model: Any
    score: Callable[[Pairs], Scores]
    readings: Callable[[Pairs], list[Reading]]


@dataclass(frozen=True, slots=True)
class Rival:
    """A way of scoring.

    Attributes:
        name: Name in the tables.
        against: Name of our way of scoring that it is compared with.
        dtype: The dtype that it always uses; None if it uses the dtype of the row.
        load: Loads the model from its folder; raises `Skipped` if this machine cannot run it.
    """

    name: str
    against: str
    load: Callable[[ModelFolders], Loaded]
    dtype: str | None = None
