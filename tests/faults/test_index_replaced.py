"""An index or a database that is replaced or deleted while it is open is read as it was; the next one is the new one."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from pyserini_qpeft.data.text_index import TextIndex, build_text_index

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let open files be replaced")


def write_corpus(file: Path, text: str) -> Path:
    lines = (json.dumps({"_id": str(n), "text": f"{text} {n}"}) for n in range(2000))
    file.write_text("\n".join(lines))
    return file


def test_a_lucene_index(tmp_path: Path):
    pytest.importorskip("pyserini", reason="needs Pyserini: pip install 'pyserini-qpeft[java]'")
    from pyserini_qpeft.lucene import StoredTexts, build_index, open_searcher

    index = tmp_path / "index"
    build_index(write_corpus(tmp_path / "old.jsonl", "river"), index)
    searcher, texts = open_searcher(index), StoredTexts(str(index))
    before = [(hit.docid, hit.score) for hit in searcher.search("river", 5)]
    build_index(write_corpus(tmp_path / "new.jsonl", "bridge"), index, overwrite=True)
    assert [(hit.docid, hit.score) for hit in searcher.search("river", 5)] == before
    assert texts("7") == "river 7"
    assert texts("1999") == "river 1999"
    again = open_searcher(index)
    assert again.search("river", 5) == []
    assert len(again.search("bridge", 5)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "new.jsonl", "old.jsonl"]


def test_a_database_of_passages(tmp_path: Path):
    (tmp_path / "cache").mkdir()
    file = tmp_path / "cache" / "passages.sqlite"
    build_text_index(write_corpus(tmp_path / "old.jsonl", "river"), file)
    opened = TextIndex(file)
    assert opened["7"] == "river 7"
    shutil.rmtree(tmp_path / "cache")
    assert [opened[str(n)] for n in range(0, 2000, 97)] == [f"river {n}" for n in range(0, 2000, 97)]
    (tmp_path / "cache").mkdir()
    build_text_index(write_corpus(tmp_path / "new.jsonl", "bridge"), file)
    assert opened["1999"] == "river 1999"
    assert TextIndex(file)["1999"] == "bridge 1999"
