"""Where a text may be cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.windows.boundaries import CHARACTER, NOWHERE, SENTENCE, WORD, boundaries, sentence_starts


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("One. Two! Three? Four… Five", ["Two", "Three", "Four", "Five"]),
        ("He said “No.” She went (home.) He stayed.", ["She", "He stayed"]),
        ("It is e.g. small, and 3.5 cm long. 7 are left.", ["7 are"]),
        ("A title without a stop\n\nThe text. It ends.", ["The text", "It ends"]),
        ("a line that is\nbroken in the middle", []),
        ("私は学生です。これは本です！「はい。」次", ["これ", "「はい", "次"]),
        ("यह एक है। दूसरा वाक्य।", ["दूसरा"]),
        ("www.example.com/a.html is no end.", []),
    ],
)
def test_sentences_start_behind_a_mark_or_a_blank_line(text: str, starts: list[str]) -> None:
    found = sorted(sentence_starts(text))
    assert [text[place:].startswith(start) for place, start in zip(found, starts, strict=True)] == [True] * len(starts)


def test_the_quality_of_a_place_is_what_stands_around_it() -> None:
    text = "One two. Three"
    spans = np.array([[0, 3], [3, 7], [7, 8], [8, 11], [11, 14]])
    found = boundaries(text, spans)
    assert found.places.tolist() == [0, 4, 7, 9, 11, 14]
    assert found.quality.tolist() == [SENTENCE, WORD, CHARACTER, SENTENCE, CHARACTER, SENTENCE]


def test_a_character_of_several_tokens_and_blanks_of_their_own_are_never_cut() -> None:
    text = "a 🗼  b"
    spans = np.array([[0, 1], [1, 3], [2, 3], [2, 3], [3, 4], [4, 5], [5, 6]])
    found = boundaries(text, spans)
    assert found.places.tolist() == [0, 2, 2, 2, 5, 5, 5, 6]
    assert found.quality.tolist() == [SENTENCE, WORD, NOWHERE, NOWHERE, WORD, NOWHERE, NOWHERE, SENTENCE]


@given(st.text(alphabet="aB .。!\n日🗼", max_size=40).map(str.strip))
def test_places_ascend_and_no_two_that_may_be_cut_are_the_same(text: str) -> None:
    spans = np.array([[place, place + 1] for place in range(len(text))], dtype=np.int64).reshape(-1, 2)
    found = boundaries(text, spans)
    assert (np.diff(found.places) >= 0).all()
    assert found.places[-1] == len(text)
    allowed = found.places[found.quality > NOWHERE].tolist()
    assert allowed[-1] == len(text)
    assert len(set(allowed)) == len(allowed)
    assert all(not text[place].isspace() for place in allowed[:-1])
