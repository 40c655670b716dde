import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyserini_qpeft.candidates.texts import raw_text, stored_text
from pyserini_qpeft.data.fields import TEXT_FIELDS
from pyserini_qpeft.data.passage import document_text, passage_text

TEXTS = st.text(st.sampled_from('ab "\n\t{}<>é\u2028\U0001f642\ud83d'), max_size=12)


@pytest.mark.parametrize(
    ("title", "text", "passage"),
    [
        ("Aspirin", "It thins the blood.", "Aspirin\nIt thins the blood."),
        ("", "It thins the blood.", "It thins the blood."),
        ("Aspirin", "", "Aspirin"),
        ("  ", " \n", ""),
        ("", "", ""),
        (" Aspirin", "It thins.\n", "Aspirin\nIt thins."),
        ('"Aaron"', "Aaron is a prophet.", "Aaron\nAaron is a prophet."),
        ("", '"Aaron"\nAaron is a prophet.', "Aaron\nAaron is a prophet."),
        ("", '"""Heroes"" (album)"\nBy David Bowie.', '"Heroes" (album)\nBy David Bowie.'),
        ("", '"Yes," he said.', '"Yes," he said.'),
        ("", '"Yes," he said, "no."\nNobody laughed.', 'Yes," he said, "no.\nNobody laughed.'),
        ("", '"To be."', '"To be."'),
        ("Größe 🙂", "naïve", "Größe 🙂\nnaïve"),
    ],
)
def test_title_and_text_become_one_passage(title, text, passage):
    assert passage_text(title, text) == passage


@given(title=TEXTS, text=TEXTS)
@example(title='""', text="a")
@example(title='""""', text='""\n""\nb')
def test_a_passage_that_went_through_an_index_equals_the_one_from_the_corpus(title, text):
    passage = passage_text(title, text)

    assert raw_text(json.dumps({"id": "d", "contents": passage})) == passage
    assert raw_text(json.dumps({"id": "d", "title": title, "text": text})) == passage
    assert stored_text(None, passage) == passage
    passage.encode("utf-8")  # what no tokenizer takes is not in it


@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_the_body_is_found_under_any_of_its_names(field):
    assert document_text({"title": "T", field: "body", "url": "u"}) == "T\nbody"


def test_the_first_name_counts_where_there_are_several():
    assert document_text({"contents": "whole", "text": "body"}) == "body"


@pytest.mark.parametrize("document", [{}, {"title": "only a title"}, {"text": None}, {"text": ["a", "list"]}])
def test_a_document_without_a_body_has_no_text(document):
    assert document_text(document) is None


def test_a_title_that_is_no_string_is_left_out():
    assert document_text({"title": None, "text": "body"}) == "body"
