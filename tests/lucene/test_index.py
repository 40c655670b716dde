import gzip
import json
from pathlib import Path

import pytest

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import StoredTexts, build_index

DIFFICULT = {
    "plain": ("A title", "and a text"),
    "untitled": ("", "only text"),
    "unicode": ("日本語", "emoji \U0001f600, é, e\u0301, עברית"),
    "json": ('"quoted" title', 'back\\slash, {"contents": "not this"}'),
    "lines": ("two\nlines", "tab\t, line separator \u2028, next line \u0085 end"),
    "markup": ("<html>", "<p>kept as it is &amp; so</p>"),
    "long": ("", "word " * 5000),
    "42": ("a docid of digits", "is a string still"),
}


@pytest.fixture
def difficult(corpus) -> Path:
    return corpus(*((docid, title, text) for docid, (title, text) in DIFFICULT.items()))


def test_the_index_gives_every_text_back_as_the_corpus_has_it(difficult, tmp_path):
    report = build_index(difficult, tmp_path / "index")
    texts = StoredTexts(tmp_path / "index")
    expected = dict(Corpus.open(difficult))
    assert {docid: texts(docid) for docid in DIFFICULT} == expected
    assert (report.documents, report.empty) == (len(DIFFICULT), 0)


def test_documents_with_no_word_to_search_for_are_counted(corpus, tmp_path):
    file = corpus(("a", "", "apples"), ("b", "", ""), ("c", "", "the of and"), ("d", "", " \x00 "))
    assert build_index(file, tmp_path / "index").empty == 3


def test_a_beir_folder_gzipped(corpus, tmp_path):
    (tmp_path / "beir").mkdir()
    document = json.dumps({"_id": "x", "title": "t", "text": "words"})
    (tmp_path / "beir" / "corpus.jsonl.gz").write_bytes(gzip.compress(document.encode()))
    assert build_index(tmp_path / "beir", tmp_path / "index").documents == 1


def test_nothing_is_written_to_the_output(difficult, tmp_path, capfd):
    build_index(difficult, tmp_path / "index")
    assert capfd.readouterr() == ("", "")


def test_an_index_is_replaced_with_overwrite_only(corpus, tmp_path):
    index = tmp_path / "index"
    build_index(corpus(("old", "", "words")), index)
    with pytest.raises(QPeftError, match=r"holds an index already.*--overwrite"):
        build_index(corpus(("new", "", "words")), index)
    assert StoredTexts(index)("old") == "words"
    build_index(corpus(("new", "", "words")), index, overwrite=True)
    assert StoredTexts(index)("old") is None
    assert StoredTexts(index)("new") == "words"


def test_a_folder_that_is_no_index_is_never_replaced(corpus, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "precious.txt").write_text("dear")
    with pytest.raises(QPeftError, match="is not an index"):
        build_index(corpus(("a", "", "words")), tmp_path / "letters", overwrite=True)
    assert (tmp_path / "letters" / "precious.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("documents", "complaint"),
    [
        ([("a", "", "one"), ("a", "", "two")], "docid a occurs twice"),
        ([("a", "", "")], "no document with a word to index"),
    ],
)
def test_a_corpus_that_cannot_be_indexed_leaves_nothing_behind(corpus, tmp_path, documents, complaint):
    file = corpus(*documents)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(QPeftError, match=complaint):
        build_index(file, tmp_path / "index")
    assert sorted(tmp_path.iterdir()) == before


def test_a_failure_while_replacing_keeps_the_old_index(corpus, tmp_path):
    index = tmp_path / "index"
    build_index(corpus(("old", "", "words")), index)
    with pytest.raises(QPeftError):
        build_index(corpus(("new", "", "")), index, overwrite=True)
    assert StoredTexts(index)("old") == "words"


def test_no_folder_to_put_it_in(corpus, tmp_path):
    with pytest.raises(QPeftError, match=r"the folder .*missing does not exist"):
        build_index(corpus(("a", "", "words")), tmp_path / "missing" / "index")
