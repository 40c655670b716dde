"""The searcher without Pyserini's Python classes finds what Pyserini's own finds."""

import subprocess
import sys
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import build_index, open_searcher, start_jvm
from pyserini_qpeft.lucene.bm25 import Bm25Searcher

FRUITS = (("a", "Apples", "apples and pears"), ("b", "", "pears, pears and naïve 🍐"), ("c", "", "plums"))


@pytest.mark.parametrize("query", ["pears", "apples plums", "naïve 🍐", "(pears AND", "zebra", "and the", ""])
def test_the_hits_are_those_of_pyserini(corpus, tmp_path, query):
    build_index(corpus(*FRUITS), tmp_path / "index")
    searcher = Bm25Searcher(tmp_path / "index")
    assert searcher.documents == 3
    for k in (1, 10):
        wanted = [(hit.docid, hit.score) for hit in open_searcher(tmp_path / "index").search(query, k)]
        assert [(hit.docid, hit.score) for hit in searcher.search(query, k)] == wanted


def test_a_query_is_analysed_in_the_language_of_the_index(corpus, tmp_path):
    build_index(corpus(("1", "", "北京大学的学生"), ("2", "", "上海")), tmp_path / "index", language="zh")
    assert [hit.docid for hit in Bm25Searcher(tmp_path / "index").search("大学", 10)] == ["1"]


def test_an_index_that_cannot_be_reranked_is_refused(tmp_path):
    start_jvm()
    from pyserini.index.lucene import LuceneIndexer

    indexer = LuceneIndexer(args=["-index", str(tmp_path / "bare")], threads=1)
    indexer.add_doc_dict({"id": "a", "contents": "words"})
    indexer.close()
    with pytest.raises(QPeftError, match="stores no text: build it with qpeft index"):
        Bm25Searcher(tmp_path / "bare")
    LuceneIndexer(args=["-index", str(tmp_path / "void")], threads=1).close()
    with pytest.raises(QPeftError, match="holds no document"):
        Bm25Searcher(tmp_path / "void")


def test_a_process_that_searches_loads_no_torch(corpus, tmp_path):
    build_index(corpus(*FRUITS), tmp_path / "index")
    program = (
        "import sys\nfrom pyserini_qpeft.service.searching import Searching\n"
        f"hits = Searching({{'docs': {str(tmp_path / 'index')!r}}}).search('docs', 'pears', 10)\n"
        "print([hit.docid for hit in hits], [name for name in ('torch', 'transformers', 'pandas') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['b', 'a'] []"
