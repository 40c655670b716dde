"""What every way of scoring has to tell of itself."""

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
        model: The model, bare or wrapped by peft.
        score: Scores pairs, float32 in their order.
        readings: What the model has to read for pairs, padding left out.
    """

    model: Any
    score: Callable[[Pairs], Scores]
    readings: Callable[[Pairs], list[Reading]]


@dataclass(frozen=True, slots=True)
class Rival:
    """A way of scoring.

    Attributes:
        name: Its name in the tables.
        against: Which of our own ways does the same, and is compared with it.
        dtype: The dtype it always runs in; None where it takes the one that is asked for.
        load: Loads it from a size's folders. Raises `Skipped` where it cannot run here.
    """

    name: str
    against: str
    load: Callable[[ModelFolders], Loaded]
    dtype: str | None = None
