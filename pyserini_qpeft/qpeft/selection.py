"""Q-PEFT-R's choice of hints: the passage's tokens nearest to the query (arXiv 2404.04522, section 3)."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.filters import barred_tokens
from pyserini_qpeft.qpeft.template import TokenIds


class HintSelector:
    """Chooses hint tokens by cosine in the base model's frozen input embeddings, so the choice depends on ids only.

    Args:
        config: The adapter's settings; `num_hints` and `filters` matter here.
        embeddings: The base model's input embeddings. Called rather than read, since some models scale in the call.
        tokenizer: The tokenizer that filters read tokens with.
        table: The query's embeddings where they are trained, `[vocabulary, width]`, as in the published code; the
            choice then moves with them.
    """

    def __init__(
        self, config: QPeftConfig, embeddings: nn.Module, tokenizer: Any, table: torch.Tensor | None = None
    ) -> None:
        self.config = config
        self.embeddings = embeddings
        self.table = table
        rows = len(self._weight)
        self.barred = barred_tokens(tokenizer, tuple(config.filters), rows)
        self.special = barred_tokens(tokenizer, (), rows)
        self._directions: torch.Tensor | None = None

    def similarities(self, query: TokenIds) -> npt.NDArray[np.float32]:
        """The largest cosine of each token of the vocabulary with any of the query's.

        Args:
            query: The query's token ids, shape `[n]`.

        Returns:
            float32 of shape `[vocabulary]`; exactly 1 for the query's own tokens, so that rounding orders no ties,
            unless their embeddings are trained.
        """
        directions = self._table()
        wanted = torch.as_tensor(np.unique(query), device=directions.device)
        with torch.no_grad():
            asked = directions[wanted] if self.table is None else functional.normalize(self.table[wanted], dim=-1)
            values: npt.NDArray[np.float32] = (asked @ directions.T).amax(0).cpu().numpy()
        if self.table is None:
            values = np.minimum(values, np.float32(1 - 1e-4))
            values[query] = 1.0
        return values

    def candidates(self, passage: TokenIds) -> TokenIds:
        """The passage's distinct tokens that no filter bars, by first place; all distinct ones if none is left."""
        tokens, first = np.unique(passage, return_index=True)
        distinct: TokenIds = tokens[np.argsort(first)]
        allowed = distinct[~self.barred[distinct]]
        return allowed if len(allowed) else distinct[~self.special[distinct]]

    def choose(
        self, query: TokenIds, similarities: npt.NDArray[np.float32], candidates: TokenIds
    ) -> tuple[TokenIds, npt.NDArray[np.float32]]:
        """The nearest candidates, nearest first, ties by first place in the passage.

        Args:
            query: The query's token ids.
            similarities: What `similarities(query)` returned.
            candidates: What `candidates(passage)` returned.

        Returns:
            Hint token ids and their similarities, at most `num_hints` of each; fewer where the passage has fewer.
        """
        if "query" in self.config.filters:
            others = candidates[~np.isin(candidates, query)]
            candidates = others if len(others) else candidates
        values = similarities[candidates]
        nearest = np.argsort(-values, kind="stable")[: self.config.num_hints]
        return candidates[nearest], values[nearest]

    @property
    def _weight(self) -> torch.Tensor:
        return cast(torch.Tensor, self.embeddings.weight)

    def _table(self) -> torch.Tensor:
        """Every token's embedding at length 1, float32 `[vocabulary, width]`, made once."""
        device = self._weight.device
        if self._directions is None or self._directions.device != device:
            with torch.no_grad():
                blocks = torch.arange(len(self._weight), device=device).split(16384)  # type: ignore[no-untyped-call]
                rows = [functional.normalize(self.embeddings(block).float(), dim=-1) for block in blocks]
                self._directions = torch.cat(rows)
        return self._directions
