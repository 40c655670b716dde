"""The words of the prompt, and its token ids in pieces that join to the ids of the whole.

    [BOS] instruction NL  Passage: title text NL  [Hints: h1 … hm NL]  [suffix NL]  Question: query        suffix layout
    [BOS] instruction NL  [Hints: h1 … hm NL]  Passage: title text NL  [suffix NL]  Question: query        prefix layout

Every piece ends in a newline (NL). Tokenizers do not merge across it, so each passage and each query is tokenized once,
for all pairs that it is in.
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
    """The fixed words of the prompt. `suffix` stands between passage and question; it is empty by default."""

    instruction: str = "given the hints, please generate a question for the input passage"
    passage_label: str = "Passage: "
    hints_label: str = "Hints:"
    suffix: str = ""
    question_label: str = "Question: "


REFERENCE_TEMPLATE = {"hints_label": "hints: ", "question_label": "Question: \n"}
"""The words that differ in the published code."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPassage:
    """The passage piece: label, passage, newline.

    Attributes:
        ids: Token ids of the whole piece, shape `[length]`.
        start: Index in `ids` of the passage's own first token.
        stop: Index after the passage's own last token.
        tokens_cut: Passage tokens that were cut off.
        spans: The characters of each of the passage's own tokens in the text without blanks around it: start and stop,
            int64 `[stop - start, 2]`.
    """

    ids: TokenIds
    start: int
    stop: int
    tokens_cut: int
    spans: npt.NDArray[np.int64]

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
        tokens: The query's own token ids. They are what is scored, together with BOS and EOS in the reference settings.
    """

    ids: TokenIds
    start: int
    tokens: TokenIds


class PromptEncoder:
    """Turns instruction, passages and queries into token ids.

    Passages and queries are text: if they contain the words of a control token, such as `<s>` or `<|endoftext|>`, these
    are tokenized as words. In the template's own words they keep their meaning.

    Args:
        tokenizer: A fast transformers tokenizer, because the pieces are cut by its character offsets.
        template: The words of the prompt.
        passage_tokens: How many tokens of a passage are read; the end of a longer one is cut.
        framed: Put the query between BOS and EOS and score them too, as the published code does.

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
        control = {i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._control_words = list(control.values())
        self._control_ids = np.array(sorted({*control, *tokenizer.all_special_ids}), dtype=np.int64)
        self.instruction = self._template_piece(f"{template.instruction}\n", anchor="")
        self.hints_open = self._template_piece(template.hints_label)
        self.newline = self._template_piece("\n", anchor="x")
        self.suffix = self._template_piece(f"{template.suffix}\n") if template.suffix else self.newline[:0]
        # Without its last blank, which is a part of the query's first token.
        self.question_label = self._template_piece(template.question_label.rstrip())

    def passages(self, texts: Sequence[str]) -> list[EncodedPassage]:
        """Encodes passages; the end of a passage longer than `passage_tokens` is cut.

        Args:
            texts: The passages.

        Returns:
            One for each text, in the order given.
        """
        label = self.template.passage_label
        encoded = []
        for piece in self._pieces(label, [f"{text.strip()}\n" for text in texts]):
            ids = piece.ids
            start = int(np.searchsorted(piece.ends, len(label), side="right"))
            stop = max(start, int(np.searchsorted(piece.starts, piece.length - 1, side="left")))
            kept = min(stop, start + self.passage_tokens)
            spans = np.stack([piece.starts[start:kept], piece.ends[start:kept]], axis=1) - len(label)
            if kept < stop:
                tail = ids[stop:] if stop < len(ids) else self.newline
                encoded.append(EncodedPassage(np.concatenate([ids[:kept], tail]), start, kept, stop - kept, spans))
            else:
                encoded.append(EncodedPassage(ids, start, stop, 0, spans))
        return encoded

    def queries(self, texts: Sequence[str]) -> list[EncodedQuery]:
        """Encodes queries.

        Args:
            texts: The queries.

        Returns:
            One for each text, in the order given.

        Raises:
            QPeftError: If a query is empty, so that there is nothing to score.
        """
        label = self.template.question_label
        encoded = []
        for piece, text in zip(self._pieces(label, [text.strip() for text in texts]), texts, strict=True):
            ids = piece.ids
            start = int(np.searchsorted(piece.ends, len(label), side="right"))
            if start == len(ids):
                raise QPeftError(f"the query {text!r} is empty: there is nothing to score.")
            tokens = ids[start:]
            if self.frame is not None:
                ids = np.concatenate([ids[:start], self.frame[0], tokens, self.frame[1]])
            encoded.append(EncodedQuery(ids, start, tokens))
        return encoded

    def cut(self, passage: EncodedPassage, length: int) -> EncodedPassage:
        """Cuts the passage's own tokens to `length`, if the model cannot read more."""
        own = passage.stop - passage.start
        if own <= length:
            return passage
        stop = passage.start + length
        tail = passage.ids[passage.stop :] if passage.stop < len(passage.ids) else self.newline
        return EncodedPassage(
            np.concatenate([passage.ids[:stop], tail]),
            passage.start,
            stop,
            passage.tokens_cut + own - length,
            passage.spans[:length],
        )

    def _template_piece(self, text: str, anchor: str = "\n") -> TokenIds:
        return self._tokenized([text], anchor, control_words=True)[0].ids

    def _pieces(self, label: str, texts: Sequence[str]) -> "list[_Piece]":
        """The pieces `label + text`; control words count in the label only."""
        if not any(word in label for word in self._control_words):
            return self._tokenized([label + text for text in texts], "\n", control_words=False)
        ids = self._template_piece(label)
        opening = _Piece(ids, np.zeros(len(ids), dtype=np.int64), np.full(len(ids), len(label)), len(label))
        return [opening.joined(piece) for piece in self._tokenized(texts, label[-1], control_words=False)]

    def _tokenized(self, texts: Sequence[str], anchor: str, *, control_words: bool) -> "list[_Piece]":
        """The tokens that each text has after `anchor`; the anchor's own tokens are left out."""
        if not texts:
            return []
        encodings = self.tokenizer(
            [anchor + text for text in texts],
            add_special_tokens=False,
            split_special_tokens=not control_words,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        pieces = []
        for ids, offsets, text in zip(encodings["input_ids"], encodings["offset_mapping"], texts, strict=True):
            spans = np.array(offsets, dtype=np.int64).reshape(-1, 2) - len(anchor)
            first = int(np.searchsorted(spans[:, 1], 0, side="right"))
            piece = _Piece(np.array(ids[first:], dtype=np.int64), spans[first:, 0], spans[first:, 1], len(text))
            pieces.append(piece if control_words else self._without_control_tokens(piece, text, anchor))
        return pieces

    def _without_control_tokens(self, piece: "_Piece", text: str, anchor: str) -> "_Piece":
        """The piece, tokenized again in parts if `split_special_tokens` left a control token in it.

        Unigram and whole-word models can have control words in their vocabulary, and a tokenizer may ignore the option.
        """
        for place in np.flatnonzero(np.isin(piece.ids, self._control_ids)):
            end = int(piece.ends[place])
            read = text[max(0, int(piece.starts[place])) : end].lstrip()
            # The unknown token is right for a character that the tokenizer does not know.
            unknown = piece.ids[place] == self.tokenizer.unk_token_id and read.rstrip() != self.tokenizer.unk_token
            if len(read.rstrip()) > 1 and not unknown:
                cut = end - len(read) + 1
                before = self._tokenized([text[:cut]], anchor, control_words=False)[0]
                return before.joined(self._tokenized([text[cut:]], "\n", control_words=False)[0])
        return piece


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Token ids of a text of `length` characters, with the characters at which each token starts and ends."""

    ids: TokenIds
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    length: int

    def joined(self, after: "_Piece") -> "_Piece":
        """This piece with another one after it."""
        return _Piece(
            np.concatenate([self.ids, after.ids]),
            np.concatenate([self.starts, after.starts + self.length]),
            np.concatenate([self.ends, after.ends + self.length]),
            self.length + after.length,
        )
