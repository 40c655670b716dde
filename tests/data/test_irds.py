"""Names of ir_datasets stand where a corpus, queries or qrels are read; a small collection is registered for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.corpus import Corpus, iter_documents
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.errors import QPeftError

irds = pytest.importorskip("ir_datasets", reason="ir_datasets, of the extra irds, is not installed")

NAME = "irds:qpeft-test/small"


class Passage(NamedTuple):
    doc_id: str
    title: str
    text: str

    def default_text(self) -> str:
        return f"{self.title} {self.text}"


class Page(NamedTuple):
    doc_id: str
    url: str
    html: str

    def default_text(self) -> str:
        return self.html


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    from ir_datasets.formats import BaseDocs, BaseQrels, BaseQueries, GenericQuery, TrecQrel

    class Docs(BaseDocs):
        def docs_iter(self) -> Any:
            yield Passage("1", "Nile", "a river")
            yield Page("2", "x", "Paris is a city")

    class Queries(BaseQueries):
        def queries_iter(self) -> Any:
            yield GenericQuery("q1", "which river ")
            yield GenericQuery("q2", "")

    class Qrels(BaseQrels):
        def qrels_iter(self) -> Any:
            for docid, grade in (("1", 2), ("2", -1), ("1", 1)):
                yield TrecQrel("q1", docid, grade, "0")

    class Offline(BaseDocs):
        def docs_iter(self) -> Any:
            raise ConnectionError("no\nnetwork")
            yield

    whole = irds.Dataset(Docs(), Queries(), Qrels())
    irds.registry.register("qpeft-test/small", whole)
    irds.registry.register("qpeft-test/offline", irds.Dataset(Offline()))
    yield
    for name in ("small", "offline"):
        del irds.registry._registered[f"qpeft-test/{name}"]


def test_corpus_queries_and_qrels_are_read() -> None:
    assert dict(Corpus.open(NAME)) == {"1": "Nile\na river", "2": "Paris is a city"}
    assert dict(Corpus.open(Path(NAME), {"2"})) == {"2": "Paris is a city"}
    assert [document.title for document in iter_documents(NAME)] == ["Nile", ""]
    assert read_topics(NAME) == {"q1": "which river"}
    assert read_qrels(NAME) == {"q1": {"1": 2, "2": -1}}


def test_the_command_line_takes_the_names(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "run").write_text("q1 Q0 2 1 2.0 x\nq1 Q0 1 2 1.0 x\n")
    options = ["--run", str(tmp_path / "run"), "--topics", NAME, "--corpus", NAME, "--output", str(tmp_path / "new")]
    assert main(["rerank", *options, "--device", "cpu", "--quiet"]) == 0
    assert main(["evaluate", str(tmp_path / "new"), "--qrels", NAME, "--measures", "nDCG@10"]) == 0
    assert "nDCG@10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("irds:qpeft-test/smal", r"knows no 'qpeft-test/smal'\. Did you mean 'qpeft-test/small'"),
        ("irds:beir/scifct/test", r"Did you mean 'beir/scifact/test'"),
        ("irds:qpeft-test/offline", r"cannot read the docs of .*\(no network\): try again with a network"),
    ],
)
def test_a_wrong_name_and_no_network_are_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence) as caught:
        Corpus.open(name)
    assert "\n" not in str(caught.value)


def test_what_a_name_lacks_is_said() -> None:
    with pytest.raises(QPeftError, match="has no queries"):
        read_topics("irds:qpeft-test/offline")


def test_without_ir_datasets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ir_datasets", None)
    with pytest.raises(QPeftError, match=r"pip install 'pyserini-qpeft\[irds\]'"):
        read_qrels(NAME)
