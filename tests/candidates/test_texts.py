import json
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup

from pyserini_qpeft.candidates.texts import chain, from_mapping, from_searcher, raw_text, stored_text
from pyserini_qpeft.data.corpus import iter_documents
from pyserini_qpeft.errors import QPeftError

HTML = """<html><head><title>Caf&eacute; &amp; bar</title><style>p {color: red}</style></head>
<body><!-- not shown --><h1>Opening</h1><p>We <b>open</b> at&#32;nine,<br>daily.</p><script>alert("x < y")</script>
<ul><li>tea</li><li>coffee</li></ul></body></html>"""

TREC = """<DOC>
<DOCNO> LA010189-0001 </DOCNO>
<HEADLINE>
<P>A headline</P>
</HEADLINE>
<TEXT>
The body, in
two lines.
</TEXT>
</DOC>"""


def test_html_reads_as_it_is_shown():
    assert raw_text(HTML) == "Café & bar\nOpening\nWe open at nine,\ndaily.\ntea\ncoffee"


def test_trec_markup_reads_without_its_document_number():
    assert raw_text(TREC) == "A headline\nThe body, in\ntwo lines."


@pytest.mark.parametrize(
    "text",
    ["a plain passage", "x < y and y > z", "<3 you", "{not JSON}", "{", "", "[1] a reference", '{"id": "no text"}'],
)
def test_what_only_looks_like_json_or_markup_stays_as_it_is(text):
    assert raw_text(text) == text


def test_markup_inside_json_is_text():
    assert raw_text(json.dumps({"id": "1", "contents": "<p>if a<b and c>d</p>"})) == "<p>if a<b and c>d</p>"


def test_unclosed_markup_still_gives_its_text():
    assert raw_text("<html><pre>first line\n\nsecond & third < fourth") == "first line\nsecond & third < fourth"


def test_raw_is_read_before_contents_and_nothing_stored_is_no_text():
    assert stored_text('{"contents": "from raw"}', "from contents") == "from raw"
    assert stored_text(None, " from contents\n") == "from contents"
    assert stored_text(None, None) is None


def test_the_words_of_html_equal_those_that_beautiful_soup_finds():
    soup = BeautifulSoup(HTML, "html.parser")
    for hidden in soup(["script", "style"]):
        hidden.decompose()

    assert raw_text(HTML).split() == soup.get_text(" ").split()


def test_a_mapping_gives_texts_as_they_are_and_joins_the_fields_of_documents():
    texts = from_mapping({"1": " as it is ", "2": {"title": "T", "text": "body"}, 3: "int key", "4": ""})

    assert [texts(docid) for docid in ("1", "2", "3", "4", "5", "x")] == [
        " as it is ",
        "T\nbody",
        "int key",
        "",
        None,
        None,
    ]


def test_a_mapping_of_something_else_is_refused():
    with pytest.raises(QPeftError, match="the text of 1 is not a string or mapping of fields but list"):
        from_mapping({"1": ["a"]})("1")


def test_sources_are_asked_in_turn_and_an_empty_text_is_an_answer():
    texts = chain(from_mapping({"1": ""}), from_mapping({"1": "second", "2": "second"}))

    assert [texts("1"), texts("2"), texts("3")] == ["", "second", None]


def test_a_searcher_without_documents_is_refused():
    with pytest.raises(QPeftError, match=r"SimpleNamespace has no documents.*searcher=.*corpus="):
        from_searcher(SimpleNamespace(search=None))


def test_the_passages_of_a_real_index_are_those_of_its_corpus(shared, tmp_path):
    """CACM's index holds HTML; the corpus beside it was made from the same documents by other means."""
    import tarfile

    from pyserini_qpeft.lucene.stored import StoredTexts

    with tarfile.open(shared / "data/cacm/lucene9-index.cacm.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    texts = StoredTexts(tmp_path / "lucene9-index.cacm")

    for document in list(iter_documents(shared / "data/cacm"))[::100]:
        shown = " ".join(texts(document.docid).split())
        assert "<" not in shown[:5]
        assert shown.startswith(" ".join(document.title.split()))
    assert texts("CACM-9999") is None
