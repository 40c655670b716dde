"""The passages of a corpus in a database are those of the corpus in memory."""

import gzip
import json
import logging
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.text_index import TextIndex, build_text_index
from pyserini_qpeft.errors import QPeftError

TEXT = st.text(max_size=20)
CORPORA = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(str.strip), st.tuples(TEXT, TEXT), min_size=1, max_size=8
)


def write(path, documents, zipped=False):
    text = "".join(json.dumps({"_id": d, "title": title, "text": text}) + "\n" for d, title, text in documents)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())


@given(passages=CORPORA, zipped=st.booleans(), repeated=st.booleans())
def test_both_are_equal(passages, zipped, repeated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    documents = [(docid, *parts) for docid, parts in passages.items() if docid.isprintable()] or [("1", "", "a")]
    write(folder / "corpus.jsonl", documents * (2 if repeated else 1), zipped)
    build_text_index(folder / "corpus.jsonl", folder / "index")
    index, corpus = TextIndex(folder / "index"), Corpus.open(folder / "corpus.jsonl")
    assert dict(index) == dict(corpus)
    assert len(index) == len(corpus)
    assert all(docid in index for docid in corpus)
    assert index.get("not there") is None


def test_a_docid_with_two_texts_is_refused(tmp_path):
    write(tmp_path / "corpus", [("1", "", "a"), ("2", "", "b"), ("1", "", "c")])
    with pytest.raises(QPeftError, match="docid 1 occurs a second time, with another text"):
        build_text_index(tmp_path / "corpus", tmp_path / "index")


def test_bad_records_are_counted(tmp_path, caplog):
    (tmp_path / "corpus").write_text('{"_id": "1", "text": "a"}\n{"_id": "2"}\n{"text": "x"}\n')
    with caplog.at_level(logging.WARNING):
        build_text_index(tmp_path / "corpus", tmp_path / "index")
    assert "2 records are not documents" in caplog.text
    assert dict(TextIndex(tmp_path / "index")) == {"1": "a"}


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_another_file_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "index").write_bytes(content)
    with pytest.raises(QPeftError, match="is no database of passages"):
        TextIndex(tmp_path / "index")


def test_a_damaged_database_is_named_when_a_text_is_read(tmp_path):
    write(tmp_path / "corpus", [(str(n), "", f"text {n}") for n in range(20_000)])
    build_text_index(tmp_path / "corpus", tmp_path / "index")
    index = TextIndex(tmp_path / "index")
    content = (tmp_path / "index").read_bytes()
    (tmp_path / "index").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(QPeftError, match=r"is damaged .*delete its folder"):
        dict(index)


def test_threads_may_share_an_index(tmp_path, in_threads):
    write(tmp_path / "corpus", [(str(n), "", f"text {n}") for n in range(500)])
    build_text_index(tmp_path / "corpus", tmp_path / "index")
    index = TextIndex(tmp_path / "index")
    for _ in range(10):
        assert all(in_threads([lambda: [index[str(n)] for n in range(500)] == [f"text {n}" for n in range(500)]] * 4))


def test_texts_are_read_while_the_docids_are_listed(tmp_path):
    write(tmp_path / "corpus", [("1", "", "a"), ("2", "", "b")])
    build_text_index(tmp_path / "corpus", tmp_path / "index")
    index = TextIndex(tmp_path / "index")
    assert [(docid, index[docid], len(list(index))) for docid in index] == [("1", "a", 2), ("2", "b", 2)]


def test_what_keeps_a_database_from_being_written_is_said(tmp_path, monkeypatch):
    write(tmp_path / "corpus", [(str(n), "", "text " * 200) for n in range(50)])
    with pytest.raises(QPeftError, match=r"cannot write .*missing/index: unable to open database file$"):
        build_text_index(tmp_path / "corpus", tmp_path / "missing" / "index")
    connect = sqlite3.connect

    def small(*given, **options):
        database = connect(*given, **options)
        database.execute("PRAGMA max_page_count = 5")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(
        QPeftError, match=r"index: database or disk is full; it needs room there and in the folder for temp"
    ):
        build_text_index(tmp_path / "corpus", tmp_path / "index")
