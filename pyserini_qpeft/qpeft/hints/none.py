"""No hints: the bare model, and prompt tuning."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pyserini_qpeft.qpeft.hints.rule import Array, HintedPair, HintRule, PairHints, PassageHints
from pyserini_qpeft.qpeft.hints.settings import TokenIds

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.hints.selection import HintSelector


class NoHints(HintRule):
    """The prompt holds instruction, passage and query only."""

    title = "prompt tuning: a trained instruction, no hints"
    has_hints = False

    def most(self, query: TokenIds) -> int:
        """Always 0."""
        return 0

    def in_passage(self, tokens: TokenIds, selector: "HintSelector") -> PassageHints:
        """Nothing."""
        return PassageHints()

    def for_pair(self, query: TokenIds, passage: PassageHints, selector: "HintSelector") -> PairHints:
        """Nothing."""
        return PairHints()

    def inputs(self, pairs: Sequence[HintedPair]) -> dict[str, list[Array]]:
        """Nothing."""
        return {}

    def width(self, inputs: Mapping[str, Array]) -> int:
        """Always 0."""
        return 0

    def vectors(self, prompt: Any, inputs: Mapping[str, torch.Tensor], embeddings: nn.Module) -> torch.Tensor:
        """Never called: there are no hints."""
        raise NotImplementedError("a prompt without hints has no hint vectors")
