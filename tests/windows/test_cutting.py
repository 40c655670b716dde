"""Documents in windows, with real tokenizers of two kinds."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import WORDS, tiny_tokenizer

from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate
from pyserini_qpeft.windows.config import WindowConfig
from pyserini_qpeft.windows.cutting import Window, WindowCutter

ENCODERS = {
    style: PromptEncoder(tiny_tokenizer(style=style), PromptTemplate(), 1 << 30)
    for style in ("byte-level", "metaspace")
}
WORD = st.sampled_from([*WORDS, "日本", "🗼", "e.g.", "3.5", "naïve", "</s>"])
SENTENCE = st.lists(WORD, min_size=1, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")
DOCUMENT = st.tuples(
    st.sampled_from(["", " ", "The Nile\n", "The river Nile and all that flows into it on its long way\n", "\n\n"]),
    st.lists(SENTENCE, max_size=14),
    st.sampled_from([" ", "\n", "  \n\n ", ""]),
).map(lambda parts: parts[0] + parts[2].join(parts[1]) + parts[2])
CONFIG = st.builds(WindowConfig, stride=st.one_of(st.none(), st.integers(1, 60)), title=st.booleans(), most=st.none())


def tokens(style: str, text: str) -> int:
    return len(ENCODERS[style].passages([text])[0].tokens)


def cutter(style: str, config: WindowConfig, size: int) -> WindowCutter:
    return WindowCutter(config, size, lambda texts: [one.spans for one in ENCODERS[style].passages(texts)])


def windows(style: str, document: str, size: int, **settings: Any) -> tuple[Window, ...]:
    return cutter(style, WindowConfig(**settings), size).cut([document])[0].windows


@pytest.mark.parametrize("style", ENCODERS)
@settings(max_examples=40)
@given(document=DOCUMENT, size=st.integers(8, 60), config=CONFIG)
def test_every_word_is_read_and_no_window_is_cut(style: str, document: str, size: int, config: WindowConfig) -> None:
    found = cutter(style, config, size).cut([document])[0].windows
    seen = [False] * len(document)
    for window in found:
        text = document[window.start : window.stop]
        assert text == text.strip()
        assert text or not document.strip()
        assert tokens(style, window.passage(document)) <= size or len(text) == 1
        seen[window.start : window.stop] = [True] * len(text)
    assert all(read or character.isspace() for read, character in zip(seen, document, strict=True))
    assert [window.start for window in found] == sorted({window.start for window in found})


@pytest.mark.parametrize("style", ENCODERS)
@settings(max_examples=40)
@given(document=DOCUMENT, size=st.integers(8, 60), config=CONFIG)
def test_a_short_document_is_one_window_that_is_the_document(
    style: str, document: str, size: int, config: WindowConfig
) -> None:
    found = cutter(style, config, size).cut([document])[0]
    if tokens(style, document) <= size:
        assert [one.passage(document) for one in found.windows] == [document.strip()]
    else:
        assert len(found.windows) > 1


@given(documents=st.lists(DOCUMENT, max_size=5), size=st.integers(8, 40), config=CONFIG)
def test_windows_depend_on_their_document_alone(documents: list[str], size: int, config: WindowConfig) -> None:
    cut = cutter("byte-level", config, size)
    assert cut.cut(documents) == [cut.cut([document])[0] for document in documents]


@given(document=DOCUMENT, size=st.integers(8, 40), config=CONFIG, count=st.integers(1, 4))
def test_what_the_first_windows_leave_out_is_counted(
    document: str, size: int, config: WindowConfig, count: int
) -> None:
    whole = cutter("byte-level", config, size).cut([document])[0]
    first = whole.first(count)
    assert first.windows == whole.windows[:count]
    total = tokens("byte-level", document)
    assert whole.ends[-1] == total
    assert first.tokens_left_out == total - first.ends[-1]
    assert (first.tokens_left_out == 0) == (len(whole.windows) <= count)


SENTENCES = "The river flows through Egypt. It is the longest one? Paris is the capital of France! A song."


def test_windows_end_at_the_end_of_sentences() -> None:
    document = " ".join([SENTENCES] * 3)
    found = windows("byte-level", document, tokens("byte-level", SENTENCES), title=False)
    assert len(found) >= 3
    assert all(document[one.stop - 1] in ".?!" for one in found)
    assert all(document[one.start].isupper() for one in found)


def test_a_long_sentence_is_cut_between_words_and_a_long_word_between_characters() -> None:
    words = " ".join(WORDS * 4)
    for one in windows("byte-level", words, 20, title=False):
        assert set(words[one.start : one.stop].split()) <= set(WORDS)
    word = "🗼日本" * 20
    assert "".join(word[one.start : one.stop] for one in windows("byte-level", word, 12, title=False)[:-1]) in word


@pytest.mark.parametrize("title", ["The Nile", "A song"])
def test_the_first_line_is_repeated_and_counted(title: str) -> None:
    document = f"{title} \n{' '.join([SENTENCES] * 3)}"
    size = 48
    found = windows("byte-level", document, size)
    assert [one.title for one in found] == ["", *[title] * (len(found) - 1)]
    for one in found[1:]:
        assert one.passage(document) == f"{title}\n{document[one.start : one.stop]}"
    without = windows("byte-level", document, size, title=False)
    assert {one.title for one in without} == {""}
    assert len(without) <= len(found)


def test_a_first_line_of_more_than_a_quarter_of_a_window_is_no_title() -> None:
    document = f"{SENTENCES}\n{SENTENCES} {SENTENCES}"
    assert {one.title for one in windows("byte-level", document, 40)} == {""}
    assert {one.title for one in windows("byte-level", SENTENCES * 3, 40)} == {""}


@given(document=DOCUMENT, size=st.integers(8, 40))
def test_characters_of_a_passage_have_their_places_in_the_document(document: str, size: int) -> None:
    for window in windows("byte-level", document, size):
        passage = window.passage(document)
        for place, character in enumerate(passage):
            if not (window.title and place == len(window.title)):
                assert document[window.place(document, place)] == character


def test_windows_overlap_by_the_stride() -> None:
    words = " ".join(WORDS * 6)
    apart, close = (windows("byte-level", words, 30, stride=stride, title=False) for stride in (None, 10))
    assert len(close) > 2 * len(apart)
    assert all(later.start < one.stop for one, later in pairwise(close))
