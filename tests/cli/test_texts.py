"""A large corpus is copied to a database once, and a change of its content is noticed."""

import json

import pytest

from pyserini_qpeft.cli import texts
from pyserini_qpeft.cli.texts import open_texts
from pyserini_qpeft.data import text_index
from pyserini_qpeft.errors import QPeftError


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Writes a corpus that counts as a large one."""
    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)
    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))

    def write(*passages: str):
        file = tmp_path / "corpus.jsonl"
        file.write_text("".join(json.dumps({"_id": str(n), "text": text}) + "\n" for n, text in enumerate(passages)))
        return file

    return write


def test_the_database_is_built_once_and_again_if_the_content_or_the_format_changes(corpus, tmp_path, monkeypatch):
    first = open_texts(corpus("a", "b"), None, lambda: pytest.fail("a large corpus needs no list of docids"))
    assert (first("0"), first("1")) == ("a", "b")
    open_texts(corpus("a", "b"), None)
    assert len(list((tmp_path / "cache" / "corpora").glob("*/passages.sqlite"))) == 1
    assert open_texts(corpus("a", "c"), None)("1") == "c"
    assert len(list((tmp_path / "cache" / "corpora").glob("*/passages.sqlite"))) == 2
    monkeypatch.setattr(text_index, "FORMAT", 0)
    assert open_texts(corpus("a", "c"), None)("1") == "c"
    assert len(list((tmp_path / "cache" / "corpora").glob("*/passages.sqlite"))) == 3


def test_a_missing_document_is_named(corpus):
    with pytest.raises(QPeftError, match="document 7 is not in the corpus"):
        open_texts(corpus("a"), None)("7")


def test_a_corpus_that_is_refused_leaves_nothing_in_the_cache(corpus, tmp_path):
    with pytest.raises(QPeftError, match="is empty, where a corpus was expected"):
        open_texts(corpus(), None)
    assert list((tmp_path / "cache" / "corpora").glob("*/*")) == []


def test_a_corpus_that_changes_while_it_is_copied_is_refused(corpus, tmp_path, monkeypatch):
    file, build = corpus("a"), text_index.build_text_index

    def build_late(*given):
        corpus("b")
        build(*given)

    monkeypatch.setattr(text_index, "build_text_index", build_late)
    with pytest.raises(QPeftError, match="changed while it was read"):
        open_texts(file, None)
    monkeypatch.undo()
    assert list((tmp_path / "cache" / "corpora").glob("*/*")) == []


def test_a_rerank_of_large_files_equals_that_of_small_ones(qpeft, run_file, beir, model, tmp_path, monkeypatch):
    from pyserini_qpeft.data import stored_run

    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))
    common = ["rerank", "--run", run_file, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, "--quiet", *model]
    assert qpeft(*common, "--output", tmp_path / "small").code == 0
    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(stored_run, "KEPT_IN_MEMORY_BYTES", 0)
    assert qpeft(*common, "--output", tmp_path / "large").code == 0
    assert (tmp_path / "large").read_bytes() == (tmp_path / "small").read_bytes()
