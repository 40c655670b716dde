"""Passages and queries are text: nothing in them is read as a special token, whatever the tokenizer is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import PAIRS, SENTENCES, tiny_model, tiny_tokenizer

from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate
from pyserini_qpeft.scoring.scorer import LikelihoodScorer


def unigram_tokenizer() -> Any:
    """A tokenizer as XGLM has it: special tokens are pieces of the vocabulary, which text can match."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted({letter for sentence in SENTENCES for letter in sentence} | set("<>/|_▁\n"))
    specials = [("<pad>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = Tokenizer(models.Unigram([*specials, *((letter, -5.0) for letter in letters)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    names = dict(pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def with_more_special_tokens(tokenizer: Any) -> Any:
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|endoftext|>", "<|im_start|>"]})
    return tokenizer


class IgnoresTheOption:
    """A tokenizer that ignores `split_special_tokens`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: Any, *, split_special_tokens: bool = False, **options: Any) -> Any:
        return self._tokenizer(text, **options)


TOKENIZERS = {
    "byte-level": with_more_special_tokens(tiny_tokenizer()),
    "byte-level without BOS": with_more_special_tokens(tiny_tokenizer(bos=False)),
    "metaspace": with_more_special_tokens(tiny_tokenizer(style="metaspace")),
    "unigram": with_more_special_tokens(unigram_tokenizer()),
    "byte-level that ignores the option": IgnoresTheOption(with_more_special_tokens(tiny_tokenizer())),
    "metaspace that ignores the option": IgnoresTheOption(with_more_special_tokens(tiny_tokenizer(style="metaspace"))),
}
WORDS = st.sampled_from(["", " ", "\n", "price", "the ", "<", ">", "|", "s>", " Nile", "a", "</"])
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


@st.composite
def texts_with_special_tokens(draw: st.DrawFn, tokenizer: Any) -> str:
    names = st.sampled_from(tokenizer.all_special_tokens)
    return "".join(draw(st.lists(WORDS | names, max_size=8))) + draw(names) + draw(WORDS)


@every_tokenizer
@given(data=st.data())
def test_no_special_token_of_the_tokenizer_comes_out_of_a_text(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    encoder = PromptEncoder(tokenizer, PromptTemplate(), passage_tokens=1000)
    text = data.draw(texts_with_special_tokens(tokenizer))
    passage, query = encoder.passages([text])[0], encoder.queries([text])[0]
    unknown = [tokenizer.unk_token_id] if name == "unigram" else []  # "|" and others that this vocabulary lacks
    special = sorted(set(tokenizer.all_special_ids) - set(unknown))
    for tokens in (passage.tokens, query.tokens):
        assert not np.isin(tokens, special).any()
        if not np.isin(tokens, unknown).any():
            squeezed = "".join(text.split())
            assert "".join(tokenizer.decode(tokens).split()) == squeezed


@every_tokenizer
def test_text_without_special_tokens_is_tokenised_as_before(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    encoder = PromptEncoder(tokenizer, PromptTemplate(), passage_tokens=1000)
    for query, passage in PAIRS:
        for label, text, ids in (
            ("Passage: ", f"{passage}\n", encoder.passages([passage])[0].ids),
            ("Question: ", query, encoder.queries([query])[0].ids),
        ):
            expected = tokenizer(f"\n{label}{text}", add_special_tokens=False, return_offsets_mapping=True)
            own = [i for i, (_, end) in zip(expected["input_ids"], expected["offset_mapping"], strict=True) if end > 1]
            assert ids.tolist() == own


@pytest.mark.parametrize("name", ["byte-level", "metaspace", "byte-level that ignores the option"])
def test_special_tokens_of_the_template_stay_special(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    template = PromptTemplate(
        instruction="<|im_start|>ask", passage_label="<|im_start|>Passage: ", question_label="<|im_start|>Question: "
    )
    encoder = PromptEncoder(tokenizer, template, passage_tokens=1000)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    passage, query = encoder.passages(["the <|im_start|> Nile"])[0], encoder.queries(["why <|im_start|>"])[0]
    assert [list(ids).count(start) for ids in (encoder.instruction, passage.ids, query.ids)] == [1, 1, 1]
    assert start not in passage.tokens
    assert start not in query.tokens
    assert "".join(tokenizer.decode(passage.tokens).split()) == "the<|im_start|>Nile"


def test_bos_stands_once_at_the_start_whatever_the_text_says() -> None:
    tokenizer = tiny_tokenizer()
    scorer = LikelihoodScorer(tiny_model(), tokenizer)
    for sequence in scorer.sequences([("<s> why", "<s>old</s> <pad> price"), ("why", "price")]):
        assert np.flatnonzero(
            np.isin([*sequence.shared_ids, *sequence.following], tokenizer.all_special_ids)
        ).tolist() == [0]


@pytest.mark.parametrize("name", ["byte-level", "unigram", "byte-level that ignores the option"])
def test_offsets_of_a_text_with_special_tokens_name_its_characters(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    encoder = PromptEncoder(tokenizer, PromptTemplate(), passage_tokens=1000)
    before, after = (encoder.passages([text])[0] for text in ("the <s> Nile", "the <s> Nile is long"))
    assert list(after.tokens[: len(before.tokens)]) == list(before.tokens)
