"""A pair as one sequence: which token stands where, and where the hints go."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.selection import HintSelector
from pyserini_qpeft.qpeft.template import EncodedPassage, EncodedQuery, PromptEncoder, TokenIds
from pyserini_qpeft.qpeft.tuner import HINTS_LABEL, NO_HINT


@dataclass(frozen=True, slots=True, eq=False)
class PairSequence:
    """One pair, ready for the model, which reads `shared_ids` and then `following`.

    Attributes:
        shared_ids: The tokens that are the same for every query, shape `[shared]`: instruction and passage in the
            suffix layout, the instruction alone in the prefix layout. One array for all queries of a passage.
        following: The tokens behind them, shape `[following]`; at places of hints, a padding id.
        hint_index: For each of `following` the number of the hint at its place, `NO_HINT` where there is none,
            `HINTS_LABEL` at the words around.
        target: Index in `following` of the first token that is scored; all are, from there to the end.
        query: The query's own token ids.
        attended: For attended hints, the passage's tokens that they are made of.
        hint_ids: For retrieved hints, the chosen tokens, nearest first.
        hint_similarities: Their cosines with the query.
        tokens_cut: Passage tokens lost to the budget or the model's longest sequence.
    """

    shared_ids: TokenIds
    following: TokenIds
    hint_index: npt.NDArray[np.int64]
    target: int
    query: TokenIds
    attended: TokenIds
    hint_ids: TokenIds
    hint_similarities: npt.NDArray[np.float32]
    tokens_cut: int

    def __len__(self) -> int:
        return len(self.shared_ids) + len(self.following)

    @property
    def ids(self) -> TokenIds:
        """All token ids, shape `[shared + following]`."""
        return np.concatenate([self.shared_ids, self.following])

    @property
    def scored(self) -> TokenIds:
        """The ids of the tokens that are scored."""
        return self.following[self.target :]


@dataclass(frozen=True, slots=True, eq=False)
class PassagePart:
    """What of a sequence depends on the passage alone: made once for all its queries.

    Attributes:
        encoded: The passage piece.
        shared: `PairSequence.shared_ids`.
        candidates: Token ids that may become hints, each once.
        attended: For attended hints, the passage's tokens that are among them, however often.
    """

    encoded: EncodedPassage
    shared: TokenIds
    candidates: TokenIds
    attended: TokenIds


class SequenceBuilder:
    """Puts pairs of encoded passages and queries together.

    Args:
        encoder: Gives the fixed pieces of the prompt.
        config: The adapter's settings, or None for the bare model, whose prompt has no hints.
        selector: Chooses hints; None where there are none.
        max_length: The model's longest sequence, in tokens.
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
        max_length: int,
        *,
        random_hints: bool = False,
    ) -> None:
        self.encoder = encoder
        self.config = config
        self.selector = selector
        self.max_length = max_length
        self.random_hints = random_hints
        self.head: TokenIds = np.concatenate([encoder.bos, encoder.instruction])
        self.instruction = slice(len(encoder.bos), len(self.head))
        tokenizer = encoder.tokenizer
        self.padding_id = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)
        self._similarities: dict[bytes, npt.NDArray[np.float32]] = {}

    def passage(self, encoded: EncodedPassage) -> PassagePart:
        """What all sequences with this passage have in common."""
        shared = self.head if self._hints_first else np.concatenate([self.head, encoded.ids])
        if self.selector is None:
            return PassagePart(encoded, shared, _NO_TOKENS, _NO_TOKENS)
        source = np.concatenate([self.head, encoded.ids]) if self._reference else encoded.tokens
        candidates = self.selector.candidates(source)
        attended = source[np.isin(source, candidates)] if self._variant == "attention" else _NO_TOKENS
        return PassagePart(encoded, shared, candidates, attended)

    def build(
        self,
        query: EncodedQuery,
        passage: PassagePart,
        *,
        hints: bool = True,
        hints_from: PassagePart | None = None,
    ) -> PairSequence:
        """Builds the sequence of one pair.

        Args:
            query: The encoded query.
            passage: The passage; cut further where the model's longest sequence demands it.
            hints: False leaves the hints out.
            hints_from: Another passage that the hints are made of.

        Raises:
            QPeftError: If query and prompt alone are longer than the model's longest sequence.
        """
        most = self._most_hints(query) if hints else 0
        around = len(self.encoder.hints_open) + len(self.encoder.newline) if most else 0
        label = passage.encoded.start + len(self.encoder.newline)
        fixed = len(self.head) + label + around + most + len(query.ids)
        if fixed >= self.max_length:
            raise QPeftError(
                f"the query is too long for the model: prompt and query take {fixed} tokens of its {self.max_length} "
                f"(query: {self.encoder.tokenizer.decode(query.tokens[:20])!r}…)."
            )
        fitting = self.encoder.cut(passage.encoded, self.max_length - fixed)
        if fitting is not passage.encoded:
            passage = self.passage(fitting)
        donor = hints_from or passage
        hint_ids, similarities = self._retrieved(query, donor.candidates) if most else _NO_HINTS
        count = min(most, len(hint_ids)) if self._variant == "retrieval" else (most if len(donor.attended) else 0)
        slots = np.full(count, self.padding_id, dtype=np.int64)
        segment = [self.encoder.hints_open, slots, self.encoder.newline] if count else []
        following = np.concatenate([*segment, *([passage.encoded.ids] if self._hints_first else []), query.ids])
        hint_index = np.full(len(following), NO_HINT, dtype=np.int64)
        if count:
            end = len(self.encoder.hints_open) + count
            hint_index[: end + len(self.encoder.newline)] = HINTS_LABEL
            hint_index[end - count : end] = np.arange(count)
        return PairSequence(
            passage.shared,
            following,
            hint_index,
            len(following) - len(query.ids) + query.start,
            query.tokens,
            donor.attended,
            hint_ids,
            similarities,
            passage.encoded.tokens_cut,
        )

    @property
    def _variant(self) -> str:
        return self.config.variant if self.config is not None else "none"

    @property
    def _hints_first(self) -> bool:
        return self._variant != "none" and self.config is not None and self.config.hint_position == "prefix"

    @property
    def _reference(self) -> bool:
        return self.config is not None and self.config.reference_settings

    def _most_hints(self, query: EncodedQuery) -> int:
        if self.config is None or self._variant == "none":
            return 0
        return self.config.num_hints if self._variant == "retrieval" else self.config.pooled_hints or len(query.tokens)

    def _retrieved(self, query: EncodedQuery, candidates: TokenIds) -> tuple[TokenIds, npt.NDArray[np.float32]]:
        if self._variant != "retrieval":
            return _NO_HINTS
        assert self.selector is not None
        nearness = self._nearness(query)
        if self.random_hints:
            rng = np.random.default_rng([*query.tokens, *candidates])
            drawn = rng.permutation(candidates)[: self._most_hints(query)]
            return drawn, nearness[drawn]
        return self.selector.choose(query.tokens, nearness, candidates)

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


_NO_TOKENS: TokenIds = np.zeros(0, dtype=np.int64)
_NO_HINTS = (_NO_TOKENS, np.zeros(0, dtype=np.float32))
