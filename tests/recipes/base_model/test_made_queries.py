from random import Random

from hypothesis import given
from hypothesis import strategies as st

from recipes.base_model.made_queries import (
    FUNCTION_WORDS,
    QUESTION_STARTS,
    Rarity,
    how_to,
    keywords,
    question,
    sentence_left_in,
    sentence_taken_out,
    sentences,
    title,
    words,
)
from recipes.base_model.sources import Passage

TEXT = (
    "The lighthouse at Cape Morrow was built in 1871 from local granite. Its lamp burned whale oil until the keeper "
    "installed paraffin burners. Storms destroyed the first jetty twice. Since 1984 the light has been automatic."
)
prose = st.lists(st.sampled_from(words(TEXT)) | st.text(min_size=1, max_size=12), max_size=60).map(" ".join)
seeds = st.integers(0, 2**32)


@given(prose, seeds)
def test_keywords_are_content_words_of_the_passage(text, seed):
    query = keywords(text, Rarity.of([text, TEXT]), Random(seed))
    if query is not None:
        assert set(query.split(" ")) <= set(words(text)) - FUNCTION_WORDS
        assert 2 <= len(query.split(" ")) <= 8


def test_rare_words_become_keywords_more_often_than_common_ones():
    rarity = Rarity.of([TEXT] + ["the lighthouse stands near the storms and the light"] * 50)
    drawn = [w for seed in range(300) for w in keywords(TEXT, rarity, Random(seed)).split()]
    assert drawn.count("paraffin") > 3 * drawn.count("lighthouse")


@given(seeds)
def test_a_sentence_is_taken_out_whole_and_nothing_else(seed):
    query, rest = sentence_taken_out(TEXT, Random(seed))
    source = next(s for s in sentences(TEXT) if words(s) == words(query))
    assert source not in rest
    assert sorted(words(rest) + words(source)) == sorted(words(TEXT))


@given(prose, seeds)
def test_a_sentence_that_is_left_in_stands_in_the_passage(text, seed):
    query = sentence_left_in(text, Random(seed))
    if query is not None:
        assert " ".join(words(query)) in " ".join(words(text))


def test_a_text_of_one_sentence_keeps_it():
    assert sentence_taken_out(sentences(TEXT)[0], Random(1)) is None


@given(prose, seeds)
def test_a_reshaped_question_is_a_question_start_and_words_of_one_sentence_in_order(text, seed):
    query = question(text, Random(seed))
    if query is not None:
        start = max((s for s in QUESTION_STARTS if query.startswith(s + " ")), key=len)
        rest = iter(words(text))
        assert all(word in rest for word in words(query.removeprefix(start)))


def test_a_docstring_is_asked_for_in_the_imperative():
    asked = {how_to("Returns the extension of a path.\n\nMore.", Random(seed)) for seed in range(200)}
    assert "how do i get extension of path" in asked
    assert all("returns" not in query and "more" not in query for query in asked)


def test_a_title_query_is_not_shown_its_title():
    query, shown = title(Passage("s", "g", "Cape Morrow Light", TEXT))
    assert (query, shown) == ("Cape Morrow Light", TEXT)


@given(seeds)
def test_the_same_seed_makes_the_same_queries(seed):
    rarity = Rarity.of([TEXT])
    for make in (
        lambda r: keywords(TEXT, rarity, r),
        lambda r: sentence_taken_out(TEXT, r),
        lambda r: question(TEXT, r),
    ):
        assert make(Random(seed)) == make(Random(seed))


def test_texts_without_words_make_no_queries():
    for text in ("", "\n\n", "!!! ???", "one"):
        assert keywords(text, Rarity.of([TEXT]), Random(1)) is None
        assert sentence_left_in(text, Random(1)) is None
        assert sentence_taken_out(text, Random(1)) is None
        assert question(text, Random(1)) is None
        assert how_to(text, Random(1)) is None
