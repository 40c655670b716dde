"""The real search: hits of a Lucene index with their texts and titles."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.searching import Searching, _title

PASSAGES = {
    "river": ("The Nile", "The Nile is the longest river of Africa and flows through Egypt."),
    "city": ("Paris", "Paris is the capital of France, on the river Seine."),
    "song": ("", "Linda Davis sings does he love you with Reba."),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pyserini_qpeft.lucene import build_index

    folder = tmp_path_factory.mktemp("collection")
    lines = [json.dumps({"_id": key, "title": title, "text": text}) for key, (title, text) in PASSAGES.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    build_index(folder, folder / "index")
    return folder / "index"


def test_hits_have_what_the_reranker_and_the_page_need(index: Path) -> None:
    searching = Searching({"docs": str(index)})
    assert searching.info == {"docs": 3}
    hits = searching.search("docs", "river", 10)
    assert {hit.docid for hit in hits} == {"river", "city"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        title, text = PASSAGES[hit.docid]
        assert (hit.title, hit.text) == (title, f"{title}\n{text}")
    assert [hit.title for hit in searching.search("docs", "Linda Davis", 10)] == [""]
    assert searching.search("docs", "river", 1) == hits[:1]
    assert searching.search("docs", "zebra", 10) == []


def test_an_index_that_is_not_there_is_named() -> None:
    with pytest.raises(QPeftError, match="/no/such"):
        Searching({"docs": "/no/such/folder"})


@pytest.mark.parametrize(
    ("raw", "text", "title"),
    [
        ('{"title": " A ", "text": "b"}', "A\nb", "A"),
        ('{"id": "1", "contents": "A\\nb"}', "A\nb", "A"),
        ('{"contents": "b"}', "b", ""),
        ("{broken", "{broken", ""),
        (None, "A\nb", "A"),
    ],
)
def test_the_title_is_a_field_or_the_first_of_several_lines(raw: str | None, text: str, title: str) -> None:
    assert _title(raw, text) == title
