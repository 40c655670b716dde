"""Pyserini of any version is imported, or the error is one sentence."""

import os
from urllib.error import URLError

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import StoredTexts, build_index, loading


def test_loading_the_searchers_leaves_the_environment_as_it_was(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert loading.load_pyserini("pyserini.search.lucene").LuceneSearcher is not None
    assert "OPENAI_API_KEY" not in os.environ


@pytest.mark.parametrize("silence", [URLError("Name or service not known"), TimeoutError("timed out")])
def test_a_pyserini_that_needs_the_network_to_be_imported_is_one_sentence(corpus, tmp_path, monkeypatch, silence):
    build_index(corpus(("a", "", "words")), tmp_path / "index")

    def offline(module):
        raise silence

    monkeypatch.setattr(loading, "import_module", offline)
    with pytest.raises(QPeftError, match=r"asks the network .* pip install 'pyserini<2\.4'"):
        StoredTexts(tmp_path / "index")
