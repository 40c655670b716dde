"""What scoring finds out about pairs of query and document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.records import ScoredWindow

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.sequences import PairSequence


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What was found about pairs of query and document.

    Attributes:
        likelihoods: Of each pair, float32 `[pairs]`.
        sequences: What the model read of each pair: the passage, or the best window of the document. Empty if the model
            is in another process.
        windows: The windows of each pair's document; each empty if documents are not scored through windows.
        tokens: Tokens of the prompts of each pair.
        tokens_cut: Tokens of each pair's passage or document that were not read.
    """

    likelihoods: npt.NDArray[np.float32]
    sequences: "list[PairSequence]"
    windows: list[tuple[ScoredWindow, ...]]
    tokens: list[int]
    tokens_cut: list[int]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The pairs of all parts, in order."""
        likelihoods = [part.likelihoods for part in parts]
        return cls(
            np.concatenate(likelihoods) if likelihoods else np.zeros(0, dtype=np.float32),
            [sequence for part in parts for sequence in part.sequences],
            [one for part in parts for one in part.windows],
            [tokens for part in parts for tokens in part.tokens],
            [tokens for part in parts for tokens in part.tokens_cut],
        )

    def part(self, start: int, stop: int) -> Self:
        """The pairs from `start` to before `stop`."""
        return type(self)(
            self.likelihoods[start:stop],
            self.sequences[start:stop],
            self.windows[start:stop],
            self.tokens[start:stop],
            self.tokens_cut[start:stop],
        )
