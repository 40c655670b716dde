"""A pair of query and passage as one sequence of tokens, with places for its hints."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.hints import hint_rule
from pyserini_qpeft.qpeft.hints.rule import PairHints, PassageHints
from pyserini_qpeft.qpeft.hints.selection import HintSelector
from pyserini_qpeft.qpeft.template import EncodedPassage, EncodedQuery, PromptEncoder, TokenIds
from pyserini_qpeft.qpeft.tuner import HINTS_LABEL, NO_HINT


@dataclass(frozen=True, slots=True, eq=False)
class PairSequence:
    """One pair as tokens for the model, which reads `shared_ids` and then `following`.

    Attributes:
        shared_ids: The tokens that are the same for every query, shape `[shared]`: instruction and passage in the
            suffix layout, the instruction alone in the prefix layout. One array for all queries of a passage.
        following: The tokens after them, shape `[following]`. A hint has a padding id in its place.
        hint_index: int64 `[following]`: the number of the hint in that place, `HINTS_LABEL` for the words around the
            hints, `NO_HINT` for all other tokens.
        instruction_index: int64 `[following]`: the number of the trained vector in that place, if words after the
            passage are trained; -1 elsewhere.
        places: int64 `[following]`: the position of each token, counted from the end of `shared_ids`. Gated hints stand
            at the positions of the passage's last tokens, and do not move the query.
        target: Index in `following` of the first token that is scored. All tokens from there to the end are scored.
        query: The query's own token ids.
        attended: `PassageHints.attended`: the passage tokens that take part in attention.
        hint_ids: `PairHints.ids`: the hint tokens, if each hint is one token of the passage.
        hint_similarities: Their cosines with the nearest query token.
        tokens_cut: Passage tokens that were cut, because of `passage_tokens` or the model's longest sequence.
    """

    shared_ids: TokenIds
    following: TokenIds
    hint_index: npt.NDArray[np.int64]
    instruction_index: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    target: int
    query: TokenIds
    attended: TokenIds
    hint_ids: TokenIds
    hint_similarities: npt.NDArray[np.float32]
    tokens_cut: int

    def __len__(self) -> int:
        return len(self.shared_ids) + len(self.following)

    @property
    def scored(self) -> TokenIds:
        """The ids of the tokens that are scored."""
        return self.following[self.target :]


@dataclass(frozen=True, slots=True, eq=False)
class PassagePart:
    """The part of a sequence that depends on the passage alone. It is built once for all queries of the passage.

    Attributes:
        encoded: The passage piece.
        shared: `PairSequence.shared_ids`.
        hints: What hints can be made from.
    """

    encoded: EncodedPassage
    shared: TokenIds
    hints: PassageHints


class SequenceBuilder:
    """Joins encoded passages and queries to sequences.

    Args:
        encoder: Gives the fixed pieces of the prompt.
        config: The adapter's settings, or None for a model without a Q-PEFT adapter.
        selector: Chooses hints; None if the prompt has none.
        max_length: The longest sequence that the model reads, in tokens.
        random_hints: Draw the hints at random from the passage, the same ones for the same pair.

    Attributes:
        rule: The adapter's hint rule.
        head: BOS and instruction, token ids.
        instruction: Where the instruction is in every sequence.
    """

    _none: TokenIds = np.zeros(0, dtype=np.int64)

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
        self.rule = hint_rule(config)
        self.selector = selector
        self.max_length = max_length
        self._for_pair = self.rule.at_random if random_hints else self.rule.for_pair
        self._hints_first = config is not None and config.hints_come_first
        self._reference = config is not None and config.reference_settings
        self._gated = config is not None and config.hint_gate is not None
        self._trains_suffix = config is not None and config.instruction_mode == "suffix"
        self.head: TokenIds = np.concatenate([encoder.bos, encoder.instruction])
        self.instruction = slice(len(encoder.bos), len(self.head))
        tokenizer = encoder.tokenizer
        self.padding_id = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)

    def passage(self, encoded: EncodedPassage) -> PassagePart:
        """The part that all sequences with this passage share."""
        shared = self.head if self._hints_first else np.concatenate([self.head, encoded.ids])
        if self.selector is None:
            return PassagePart(encoded, shared, PassageHints())
        # The published code takes hints from the words of the prompt too.
        source = np.concatenate([self.head, encoded.ids]) if self._reference else encoded.tokens
        return PassagePart(encoded, shared, self.rule.in_passage(source, self.selector))

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
            passage: The passage. It is cut further if the sequence would be longer than the model reads.
            hints: False leaves the hints out.
            hints_from: Another passage, from which the hints are taken.

        Raises:
            QPeftError: If query and prompt alone are longer than the model reads.
        """
        most = self.rule.most(query.tokens) if hints else 0
        opening, closing = (self._none, self._none) if self._gated else (self.encoder.hints_open, self.encoder.newline)
        around = len(opening) + len(closing) if most else 0
        label = passage.encoded.start + len(self.encoder.newline)
        fixed = len(self.head) + label + around + most + len(self.encoder.suffix) + len(query.ids)
        if fixed >= self.max_length:
            raise QPeftError(
                f"the query is too long for the model: prompt and query take {fixed} tokens, and the model reads at "
                f"most {self.max_length} (query: {self.encoder.tokenizer.decode(query.tokens[:20])!r}…)."
            )
        fitting = self.encoder.cut(passage.encoded, self.max_length - fixed)
        if fitting is not passage.encoded:
            passage = self.passage(fitting)
        donor = (hints_from or passage).hints
        chosen = PairHints()
        if most:
            assert self.selector is not None
            chosen = self._for_pair(query.tokens, donor, self.selector)
        slots = np.full(chosen.count, self.padding_id, dtype=np.int64)
        segment = [opening, slots, closing] if chosen.count else []
        between = [passage.encoded.ids] if self._hints_first else []
        following = np.concatenate([*segment, *between, self.encoder.suffix, query.ids])
        hint_index = np.full(len(following), NO_HINT, dtype=np.int64)
        places = np.arange(len(following))
        if chosen.count:
            end = len(opening) + chosen.count
            hint_index[: end + len(closing)] = HINTS_LABEL
            hint_index[end - chosen.count : end] = np.arange(chosen.count)
            places -= chosen.count if self._gated else 0
        return PairSequence(
            passage.shared,
            following,
            hint_index,
            self._instruction_index(following, len(following) - len(query.ids)),
            places,
            len(following) - len(query.ids) + query.start,
            query.tokens,
            donor.attended,
            chosen.ids,
            chosen.similarities,
            passage.encoded.tokens_cut,
        )

    def _instruction_index(self, following: TokenIds, question: int) -> npt.NDArray[np.int64]:
        """Which trained vector stands at each place: at the words of the suffix and of the question's label."""
        index = np.full(len(following), NO_HINT, dtype=np.int64)
        begin, end = question - len(self.encoder.suffix), question + len(self.encoder.question_label)
        if self._trains_suffix and np.array_equal(following[question:end], self.encoder.question_label):
            index[begin:end] = np.arange(end - begin)
        return index
