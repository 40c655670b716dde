"""Passages and queries are text, whatever words are in them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_tokenizer

from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate

TOKENIZERS = {
    f"{style}, {'BOS' if bos else 'no BOS'}": tiny_tokenizer(bos=bos, style=style)
    for style in ("byte-level", "metaspace")
    for bos in (True, False)
}
CONTROL_WORDS = ["<s>", "</s>", "<pad>"]
TEXTS = st.lists(
    st.sampled_from([*CONTROL_WORDS, "the river Nile", " ", "\n", "日本", "<", "s>", "x"]), min_size=1
).map("".join)


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return TOKENIZERS[request.param]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=TEXTS)
def test_no_control_token_comes_from_the_words_of_a_passage_or_query(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    encoder = PromptEncoder(tokenizer, PromptTemplate(), 256)
    control = {tokenizer.convert_tokens_to_ids(word) for word in CONTROL_WORDS}
    passage = encoder.passages([text])[0]
    assert not control & set(passage.ids.tolist())
    assert tokenizer.decode(passage.tokens).strip() == text.strip()
    if text.strip():
        query = encoder.queries([text])[0]
        assert not control & set(query.ids.tolist())
        assert tokenizer.decode(query.tokens).strip() == text.strip()


def test_control_words_of_the_template_keep_their_meaning(tokenizer: Any) -> None:
    template = PromptTemplate(instruction="<s>ask", passage_label="</s>Passage: ", question_label="<pad>\n")
    encoder = PromptEncoder(tokenizer, template, 256)
    bos, eos, pad = (tokenizer.convert_tokens_to_ids(word) for word in CONTROL_WORDS)
    passage, query = encoder.passages(["the </s> river"])[0], encoder.queries(["which <pad> river"])[0]
    assert list(encoder.instruction).count(bos) == 1
    assert list(passage.ids).count(eos) == 1
    assert eos not in passage.tokens
    assert list(query.ids).count(pad) == 1
    assert pad not in query.tokens
    assert tokenizer.decode(passage.tokens).strip() == "the </s> river"
    assert tokenizer.decode(query.tokens).strip() == "which <pad> river"


def test_a_long_passage_is_cut_at_its_end_and_counted(tokenizer: Any) -> None:
    whole = PromptEncoder(tokenizer, PromptTemplate(), 256).passages(["the river <s> Nile " * 10])[0]
    cut = PromptEncoder(tokenizer, PromptTemplate(), 7).passages(["the river <s> Nile " * 10])[0]
    np.testing.assert_array_equal(cut.tokens, whole.tokens[:7])
    assert cut.tokens_cut == len(whole.tokens) - 7
    np.testing.assert_array_equal(cut.ids[cut.stop :], whole.ids[whole.stop :])
