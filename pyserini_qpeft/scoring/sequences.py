"""A pair as one sequence: which token stands where, and where the hints go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.selection import HintSelector
from pyserini_qpeft.qpeft.template import EncodedPassage, EncodedQuery, PromptEncoder, TokenIds
from pyserini_qpeft.qpeft.tuner import HINTS_LABEL, NO_HINT


@dataclass(frozen=True, slots=True, eq=False)
class PairSequence:
    """One pair, ready for the model.

    Attributes:
        ids: Token ids, shape `[length]`; at places of hints, a padding id.
        hint_index: The number of the hint at a place, `NO_HINT` where there is none, `HINTS_LABEL` at the words around.
        context: How many tokens at the start are the same for every query: instruction and passage in the suffix
            layout, the instruction alone in the prefix layout.
        target: Index of the first token that is scored; all are, from there to the end.
        query: The query's own token ids.
        passage: Token ids that hints are made of: the passage's own, as far as they were kept.
        keys: For attended hints, which of `passage` take part.
        hint_ids: For retrieved hints, the chosen tokens, nearest first.
        hint_similarities: Their cosines with the query.
        tokens_cut: Passage tokens lost to the budget or the model's window.
    """

    ids: TokenIds
    hint_index: npt.NDArray[np.int64]
    context: int
    target: int
    query: TokenIds
    passage: TokenIds
    keys: npt.NDArray[np.bool_]
    hint_ids: TokenIds
    hint_similarities: npt.NDArray[np.float32]
    tokens_cut: int

    @property
    def context_ids(self) -> TokenIds:
        """The tokens that are the same for every query, shape `[context]`."""
        return self.ids[: self.context]


class SequenceBuilder:
    """Puts pairs of encoded passages and queries together.

    Args:
        encoder: Gives the fixed pieces of the prompt.
        config: The adapter's settings, or None for the bare model, whose prompt has no hints.
        selector: Chooses hints; None where there are none.
        window: The model's longest sequence, in tokens.
        random_hints: Draw retrieved hints from the passage by chance, the same for the same pair.

    Attributes:
        head: BOS and instruction, token ids.
        instruction: Where the instruction stands in every sequence.
    """

    def __init__(
        self,
        encoder: PromptEncoder,
        config: QPeftConfig | None,
        selector: HintSelector | None,
        window: int,
        *,
        random_hints: bool = False,
    ) -> None:
        self.encoder = encoder
        self.config = config
        self.selector = selector
        self.window = window
        self.random_hints = random_hints
        self.head: TokenIds = np.concatenate([encoder.bos, encoder.instruction])
        self.instruction = slice(len(encoder.bos), len(self.head))
        tokenizer = encoder.tokenizer
        self.padding_id = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)
        self._similarities: dict[bytes, npt.NDArray[np.float32]] = {}

    def build(
        self,
        query: EncodedQuery,
        passage: EncodedPassage,
        *,
        hints: bool = True,
        hints_from: EncodedPassage | None = None,
    ) -> PairSequence:
        """Builds the sequence of one pair.

        Args:
            query: The encoded query.
            passage: The encoded passage; cut further where the window demands it.
            hints: False leaves the hints out.
            hints_from: Another passage that the hints are made of.

        Raises:
            QPeftError: If query and prompt alone are longer than the model's window.
        """
        most = self._most_hints(query) if hints else 0
        around = len(self.encoder.hints_open) + len(self.encoder.newline) if most else 0
        label = passage.start + len(self.encoder.newline)
        fixed = len(self.head) + label + around + most + len(query.ids)
        if fixed >= self.window:
            raise QPeftError(
                f"the query is too long for the model: prompt and query take {fixed} tokens of its {self.window} "
                f"(query: {self.encoder.tokenizer.decode(query.tokens[:20])!r}…)."
            )
        passage = self.encoder.cut(passage, self.window - fixed)
        donor = hints_from or passage
        source = np.concatenate([self.head, donor.ids]) if self._reference else donor.tokens
        hint_ids, similarities, keys = self._hints(query, source) if most else _NOTHING
        count = min(most, len(hint_ids)) if self._variant == "retrieval" else (most if keys.any() else 0)
        slots = np.full(count, self.padding_id, dtype=np.int64)
        segment = [self.encoder.hints_open, slots, self.encoder.newline] if count else []
        before = self.config is not None and self.config.hint_position == "prefix"
        context = [self.head, *segment, passage.ids] if before else [self.head, passage.ids, *segment]
        ids = np.concatenate([*context, query.ids])
        hint_index = np.full(len(ids), NO_HINT, dtype=np.int64)
        if count:
            first = len(self.head) if before else len(self.head) + len(passage.ids)
            end = first + len(self.encoder.hints_open) + count
            hint_index[first : end + len(self.encoder.newline)] = HINTS_LABEL
            hint_index[end - count : end] = np.arange(count)
        return PairSequence(
            ids,
            hint_index,
            len(self.head) + (0 if before else len(passage.ids)),
            len(ids) - len(query.ids) + query.start,
            query.tokens,
            source,
            keys,
            hint_ids,
            similarities,
            passage.tokens_cut,
        )

    @property
    def _variant(self) -> str:
        return self.config.variant if self.config is not None else "none"

    @property
    def _reference(self) -> bool:
        return self.config is not None and self.config.reference_settings

    def _most_hints(self, query: EncodedQuery) -> int:
        if self.config is None or self._variant == "none":
            return 0
        return self.config.num_hints if self._variant == "retrieval" else self.config.pooled_hints or len(query.tokens)

    def _hints(self, query: EncodedQuery, source: TokenIds) -> tuple[Any, Any, Any]:
        assert self.selector is not None
        candidates = self.selector.candidates(source)
        if self._variant == "attention":
            return _NOTHING[0], _NOTHING[1], np.isin(source, candidates)
        nearness = self._nearness(query)
        if self.random_hints:
            rng = np.random.default_rng([*query.tokens, *candidates])
            drawn = rng.permutation(candidates)[: self._most_hints(query)]
            return drawn, nearness[drawn], _NOTHING[2]
        return *self.selector.choose(query.tokens, nearness, candidates), _NOTHING[2]

    def _nearness(self, query: EncodedQuery) -> npt.NDArray[np.float32]:
        assert self.selector is not None
        if self._reference:
            return self.selector.similarities(query.tokens)
        key = query.tokens.tobytes()
        if key not in self._similarities:
            if len(self._similarities) >= 64:
                self._similarities.clear()
            self._similarities[key] = self.selector.similarities(query.tokens)
        return self._similarities[key]


_NOTHING = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=bool))
