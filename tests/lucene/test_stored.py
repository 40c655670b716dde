from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import StoredTexts, build_index, index_folder, open_searcher, start_jvm


def test_html_of_an_index_made_elsewhere_is_read_as_text(cacm_index):
    text = StoredTexts(cacm_index)("CACM-3134")
    assert text is not None
    assert text.startswith("The Use of Normal Multiplication Tables")
    assert "<" not in text


def test_an_unknown_docid_has_no_text(corpus, tmp_path):
    build_index(corpus(("a", "", "words")), tmp_path / "index")
    assert StoredTexts(tmp_path / "index")("b") is None


def test_an_index_without_stored_text_is_refused(tmp_path):
    start_jvm()
    from pyserini.index.lucene import LuceneIndexer

    indexer = LuceneIndexer(args=["-index", str(tmp_path / "bare")], threads=1)
    indexer.add_doc_dict({"id": "a", "contents": "words"})
    indexer.close()
    with pytest.raises(QPeftError, match=r"stores no text.*-storeRaw.*--corpus"):
        StoredTexts(tmp_path / "bare")


def test_an_index_without_documents_is_refused(tmp_path):
    start_jvm()
    from pyserini.index.lucene import LuceneIndexer

    LuceneIndexer(args=["-index", str(tmp_path / "void")], threads=1).close()
    with pytest.raises(QPeftError, match="holds no document"):
        StoredTexts(tmp_path / "void")


def test_a_folder_that_is_no_index(tmp_path):
    with pytest.raises(QPeftError, match="is not a Lucene index: it holds no segments file"):
        index_folder(tmp_path)


def test_a_name_that_pyserini_does_not_know():
    with pytest.raises(QPeftError, match="neither a folder nor a prebuilt index"):
        index_folder("no-such-index")


def test_a_searcher_over_a_folder(corpus, tmp_path):
    build_index(corpus(("a", "", "apples"), ("b", "", "pears")), tmp_path / "index")
    assert [hit.docid for hit in open_searcher(tmp_path / "index").search("pear")] == ["b"]


def test_relative_folders_are_those_of_the_present_working_folder(corpus, tmp_path, monkeypatch):
    start_jvm()  # and Java stays where it was started
    file = corpus(("a", "", "apples"))
    monkeypatch.chdir(tmp_path)
    build_index(file, Path("index"))
    assert StoredTexts("index")("a") == "apples"
    assert [hit.docid for hit in open_searcher("index").search("apples")] == ["a"]
