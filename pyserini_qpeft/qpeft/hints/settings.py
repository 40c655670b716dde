"""The settings that hint rules read."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.int64]


class HintSettings(Protocol):
    """The fields of `QPeftConfig` that hint rules read."""

    variant: str
    num_hints: int
    pooled_hints: int
    filters: list[str]
    hint_settings: dict[str, Any]
    num_heads: int
    attention_dropout: float
    attention_start: str
