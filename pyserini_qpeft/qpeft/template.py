"""The prompt's wording, and its token ids in pieces that join to what the whole would be.

    [BOS] instruction NL  Passage: title text NL  [Hints: h1 … hm NL]  Question: query        suffix layout
    [BOS] instruction NL  [Hints: h1 … hm NL]  Passage: title text NL  Question: query        prefix layout

Every piece ends in a newline (NL), where tokenizers do not merge across, so a passage and a query are tokenised once,
whichever pair they stand in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError

TokenIds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PromptTemplate:
    """The fixed words of the prompt."""

    instruction: str = "given the hints, please generate a question for the input passage"
    passage_label: str = "Passage: "
    hints_label: str = "Hints:"
    question_label: str = "Question: "


REFERENCE_TEMPLATE = {"hints_label": "hints: ", "question_label": "Question: \n"}
"""Where the published code words the prompt otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPassage:
    """The passage piece: label, passage, newline.

    Attributes:
        ids: Token ids of the whole piece, shape `[length]`.
        start: Index in `ids` of the passage's own first token.
        stop: Index after the passage's own last token.
        tokens_cut: How many tokens the passage lost to the budget.
    """

    ids: TokenIds
    start: int
    stop: int
    tokens_cut: int

    @property
    def tokens(self) -> TokenIds:
        """The passage's own token ids, shape `[stop - start]`."""
        return self.ids[self.start : self.stop]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedQuery:
    """The question piece: label and query.

    Attributes:
        ids: Token ids of the whole piece, shape `[length]`.
        start: Index in `ids` of the first token that is scored.
        tokens: The query's own token ids; all that is scored, but for BOS and EOS where they are scored too.
    """

    ids: TokenIds
    start: int
    tokens: TokenIds


class PromptEncoder:
    """Turns instruction, passages and queries into token ids.

    Args:
        tokenizer: A fast transformers tokenizer: the pieces are cut by its character offsets.
        template: The prompt's wording.
        passage_tokens: How many tokens of a passage are kept; its end is cut.
        framed: Put the query between BOS and EOS, to be scored with it, as the published code does.

    Raises:
        QPeftError: If the tokenizer gives no offsets.
    """

    def __init__(self, tokenizer: Any, template: PromptTemplate, passage_tokens: int, *, framed: bool = False) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise QPeftError(
                f"the tokenizer {type(tokenizer).__name__} gives no offsets: use a model with a fast tokenizer."
            )
        self.tokenizer = tokenizer
        self.template = template
        self.passage_tokens = passage_tokens
        bos = tokenizer.bos_token_id
        starts_with_bos = bos is not None and tokenizer("x")["input_ids"][:1] == [bos]
        self.bos: TokenIds = np.array([bos] if starts_with_bos else [], dtype=np.int64)
        eos = tokenizer.eos_token_id
        self.frame = (self.bos, np.array([eos], dtype=np.int64)) if framed and eos is not None else None
        self.instruction = self._piece(f"{template.instruction}\n", anchor="")
        self.hints_open = self._piece(template.hints_label)
        self.newline = self._piece("\n", anchor="x")

    def passages(self, texts: Sequence[str]) -> list[EncodedPassage]:
        """Encodes passages, each cut to the budget at its end."""
        label = self.template.passage_label
        encoded = []
        for ids, ends, starts, text in self._pieces([f"{label}{text.strip()}\n" for text in texts]):
            start = int(np.searchsorted(ends, len(label), side="right"))
            stop = max(start, int(np.searchsorted(starts, len(text) - 1, side="left")))
            kept = min(stop, start + self.passage_tokens)
            if kept < stop:
                tail = ids[stop:] if stop < len(ids) else self.newline
                encoded.append(EncodedPassage(np.concatenate([ids[:kept], tail]), start, kept, stop - kept))
            else:
                encoded.append(EncodedPassage(ids, start, stop, 0))
        return encoded

    def queries(self, texts: Sequence[str]) -> list[EncodedQuery]:
        """Encodes queries.

        Raises:
            QPeftError: If a query is empty, so that there is nothing to score.
        """
        label = self.template.question_label
        encoded = []
        for ids, ends, _, text in self._pieces([f"{label}{text.strip()}" for text in texts]):
            start = int(np.searchsorted(ends, len(label), side="right"))
            if start == len(ids):
                raise QPeftError(f"the query {text[len(label) :]!r} is empty: there is nothing to score.")
            tokens = ids[start:]
            if self.frame is not None:
                ids = np.concatenate([ids[:start], self.frame[0], tokens, self.frame[1]])
            encoded.append(EncodedQuery(ids, start, tokens))
        return encoded

    def cut(self, passage: EncodedPassage, length: int) -> EncodedPassage:
        """Cuts a passage further, to `length` of its own tokens, where the model's window demands it."""
        own = passage.stop - passage.start
        if own <= length:
            return passage
        stop = passage.start + length
        tail = passage.ids[passage.stop :] if passage.stop < len(passage.ids) else self.newline
        return EncodedPassage(
            np.concatenate([passage.ids[:stop], tail]), passage.start, stop, passage.tokens_cut + own - length
        )

    def _piece(self, text: str, anchor: str = "\n") -> TokenIds:
        return self._pieces([text], anchor)[0][0]

    def _pieces(
        self, texts: Sequence[str], anchor: str = "\n"
    ) -> list[tuple[TokenIds, npt.NDArray[np.int64], npt.NDArray[np.int64], str]]:
        """Token ids as they are when `anchor` stands before the text, with each token's end and start in the text."""
        if not texts:
            return []
        encodings = self.tokenizer(
            [anchor + text for text in texts],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        pieces = []
        for ids, offsets, text in zip(encodings["input_ids"], encodings["offset_mapping"], texts, strict=True):
            spans = np.array(offsets, dtype=np.int64).reshape(-1, 2) - len(anchor)
            first = int(np.searchsorted(spans[:, 1], 0, side="right"))
            pieces.append((np.array(ids[first:], dtype=np.int64), spans[first:, 1], spans[first:, 0], text))
        return pieces
