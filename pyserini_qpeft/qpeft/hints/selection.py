"""Similarity of a passage's tokens to a query, by which Q-PEFT-R chooses hints (arXiv 2404.04522, section 3)."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from pyserini_qpeft.qpeft.hints.filters import barred_tokens
from pyserini_qpeft.qpeft.hints.settings import HintSettings, TokenIds

_KEPT_QUERIES = 64


class HintSelector:
    """Chooses hint tokens by cosine in the base model's frozen input embeddings.

    The choice depends on token ids only. The similarities of the last queries are kept.

    Args:
        settings: The adapter's settings, of which `num_hints` and `filters` are used.
        embeddings: The base model's input embeddings. They are called, because some models scale in the call.
        tokenizer: The tokenizer, whose decoded tokens the filters look at.
        table: The query's embeddings if they are trained, `[vocabulary, width]`, as in the published code. The choice
            then changes as they are trained, and nothing is kept.
    """

    def __init__(
        self, settings: HintSettings, embeddings: nn.Module, tokenizer: Any, table: torch.Tensor | None = None
    ) -> None:
        self.settings = settings
        self.embeddings = embeddings
        self.table = table
        rows = len(self._weight)
        self.barred = barred_tokens(tokenizer, tuple(settings.filters), rows)
        self.special = barred_tokens(tokenizer, (), rows)
        self._directions: torch.Tensor | None = None
        self._similarities: dict[bytes, npt.NDArray[np.float32]] = {}

    def similarities(self, query: TokenIds) -> npt.NDArray[np.float32]:
        """max over i of cos(E(q_i), E(t)) for every token t of the vocabulary.

        Args:
            query: The query's token ids, shape `[n]`.

        Returns:
            float32 `[vocabulary]`. It is exactly 1 for the query's own tokens, so that rounding decides no ties,
            unless the query's embeddings are trained.
        """
        if self.table is not None:
            return self._computed(query)
        key = query.tobytes()
        if key not in self._similarities:
            if len(self._similarities) >= _KEPT_QUERIES:
                self._similarities.clear()
            self._similarities[key] = self._computed(query)
        return self._similarities[key]

    def candidates(self, passage: TokenIds) -> TokenIds:
        """The tokens of a passage that may become hints.

        Args:
            passage: Token ids, shape `[p]`.

        Returns:
            The distinct tokens that no filter bars, in the order of the passage. If none is left: all distinct tokens
            but special ones.
        """
        tokens, first = np.unique(passage, return_index=True)
        distinct: TokenIds = tokens[np.argsort(first)]
        allowed = distinct[~self.barred[distinct]]
        return allowed if len(allowed) else distinct[~self.special[distinct]]

    def nearest(self, query: TokenIds, candidates: TokenIds) -> tuple[TokenIds, npt.NDArray[np.float32]]:
        """The candidates with the largest similarities, nearest first; ties by first place in the passage.

        Args:
            query: The query's token ids, shape `[n]`.
            candidates: What `candidates(passage)` returned.

        Returns:
            Token ids and their similarities, at most `num_hints` of each.
        """
        if "query" in self.settings.filters:
            others = candidates[~np.isin(candidates, query)]
            candidates = others if len(others) else candidates
        values = self.similarities(query)[candidates]
        nearest = np.argsort(-values, kind="stable")[: self.settings.num_hints]
        return candidates[nearest], values[nearest]

    def _computed(self, query: TokenIds) -> npt.NDArray[np.float32]:
        directions = self._table()
        wanted = torch.as_tensor(np.unique(query), device=directions.device)
        with torch.no_grad():
            asked = directions[wanted] if self.table is None else functional.normalize(self.table[wanted], dim=-1)
            values: npt.NDArray[np.float32] = (asked @ directions.T).amax(0).cpu().numpy()
        if self.table is None:
            values = np.minimum(values, np.float32(1 - 1e-4))
            values[query] = 1.0
        return values

    @property
    def _weight(self) -> torch.Tensor:
        return cast(torch.Tensor, self.embeddings.weight)

    def _table(self) -> torch.Tensor:
        """The embedding of every token at length 1, float32 `[vocabulary, width]`; computed once."""
        device = self._weight.device
        if self._directions is None or self._directions.device != device:
            with torch.no_grad():
                blocks = torch.arange(len(self._weight), device=device).split(16384)  # type: ignore[no-untyped-call]
                rows = [functional.normalize(self.embeddings(block).float(), dim=-1) for block in blocks]
                self._directions = torch.cat(rows)
        return self._directions
