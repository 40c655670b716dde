"""Q-PEFT-R: the passage tokens nearest to the query are the hints (arXiv 2404.04522, section 3)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import nn

from pyserini_qpeft.qpeft.hints.rule import Array, HintedPair, HintRule, PairHints, PassageHints
from pyserini_qpeft.qpeft.hints.settings import TokenIds

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.hints.selection import HintSelector


class RetrievedHints(HintRule):
    """h = MLP(E(token)) for the `num_hints` passage tokens nearest to the query.

    With its own setting `similarity` (JSON: `{"similarity": true}`) two trained vectors say how near a token is:
    h = MLP(E(token)) + s·u + [s = 1]·v, where s is its cosine with the nearest query token. Both start at 0.
    """

    title = "Q-PEFT-R: retrieved hints"
    hints_are_tokens = True
    own_settings: ClassVar[Mapping[str, Any]] = {"similarity": False}

    def most(self, query: TokenIds) -> int:
        """`num_hints`, for every query."""
        return self.settings.num_hints

    def for_pair(self, query: TokenIds, passage: PassageHints, selector: "HintSelector") -> PairHints:
        """The nearest candidates, nearest first; fewer than `num_hints` if the passage has fewer."""
        ids, similarities = selector.nearest(query, passage.candidates)
        return PairHints(len(ids), ids, similarities)

    def inputs(self, pairs: Sequence[HintedPair]) -> dict[str, list[Array]]:
        """`hint_ids`: the chosen tokens of each pair, int64 `[hints]`; `hint_similarities`: their s, float32."""
        inputs: dict[str, list[Array]] = {"hint_ids": [pair.hint_ids for pair in pairs]}
        if self.setting("similarity"):
            inputs["hint_similarities"] = [pair.hint_similarities for pair in pairs]
        return inputs

    def width(self, inputs: Mapping[str, Array]) -> int:
        """The most hints that a pair of the batch has."""
        return int(inputs["hint_ids"].shape[1])

    def vectors(self, prompt: Any, inputs: Mapping[str, torch.Tensor], embeddings: nn.Module) -> torch.Tensor:
        """h, float32 `[pairs, hints, width]`."""
        vectors = cast(torch.Tensor, prompt.mapped(inputs["hint_ids"], embeddings))
        if self.setting("similarity"):
            similarity = inputs["hint_similarities"][..., None].to(vectors)
            vectors = vectors + similarity * prompt.similarity[0] + (similarity >= 1) * prompt.similarity[1]
        return vectors

    def add_modules(self, prompt: Any, embeddings: nn.Module) -> None:
        """`similarity`, u and v, if the setting asks for them."""
        if self.setting("similarity"):
            prompt.similarity = nn.Parameter(torch.zeros(2, prompt.config.token_dim))
