"""The comparison of cut documents with windows runs from the collection to the table."""

import json
from pathlib import Path

import numpy as np
import pytest

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredWindow
from recipes.long_documents import __main__ as recipe
from recipes.long_documents import collections
from recipes.long_documents.choices import COMBINATIONS, best_on_average, ndcg

TOPICS = ("river", "capital", "prophet", "song", "hill", "glacier")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with NFCorpus's name and layout: four abstracts and a query of each split for each topic."""
    folder = tmp_path / "data" / "nfcorpus"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        {"_id": f"{topic}-{n}", "title": f"The {topic}", "text": f"Part {n} about the {topic} is long. " * 12}
        for topic in TOPICS
        for n in range(4)
    ]
    queries = [
        {"_id": f"{split}-{topic}", "text": f"what is the {topic}"} for split in ("dev", "test") for topic in TOPICS
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
    for split in ("dev", "test"):
        judged = "".join(f"{split}-{topic}\t{topic}-{n}\t{1 + n % 2}\n" for topic in TOPICS for n in range(2))
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return tmp_path / "data"


def test_documents_are_whole_abstracts_and_have_the_best_of_their_grades(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "SHORTEST", 1_000)
    made = collections.make(BeirFolder(data / "nfcorpus"), tmp_path / "made", 4, {"dev": 3, "test": 99})
    documents = [json.loads(line) for line in made.corpus.read_text().splitlines()]
    assert len(documents) == 4
    assert all(len(one["text"]) >= 1_000 for one in documents)
    grades = read_qrels(made.qrels("test"))
    for qid, judged in grades.items():
        topic = qid.partition("-")[2]
        for docid, grade in judged.items():
            (text,) = [one["text"] for one in documents if one["_id"] == docid]
            assert grade == (2 if f"Part 1 about the {topic}" in text else 1)
            assert f"about the {topic}" in text
    assert len(read_qrels(made.qrels("dev"))) == 3 <= len(grades)


def test_the_table_has_a_row_for_each_way_of_cutting_and_combining(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyserini", reason="needs Pyserini")
    monkeypatch.setattr(collections, "SHORTEST", 2_000)
    options = ["--data", str(data), "--work", str(tmp_path / "work"), "--depth", "3", "--dtype", "float32"]
    monkeypatch.setattr("sys.argv", ["long_documents", *options, "--documents", "4"])
    recipe.main()
    first = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.splitlines() if line.startswith("|")]
    assert [row[:2] for row in rows[2:]] == [["BM25", ""], ["cut", ""], *(["256", name] for name in COMBINATIONS)]
    assert all(0 <= float(cell) <= 1 for row in rows[3:] for cell in row[4:])
    assert all(float(row[7]) >= max(float(rows[2][7]), float(row[4])) for row in rows[3:])
    lists = read_ranked_lists(tmp_path / "work" / "256.jsonl")
    qrels = read_qrels(tmp_path / "work" / "collection" / "qrels" / "test.tsv")
    (row,) = [row for row in rows if row[:2] == ["256", "max"]]
    assert float(row[5]) == pytest.approx(ndcg(lists, qrels, None, None).mean(), abs=6e-4)
    assert first.count("best on the development queries") == 2
    recipe.main()  # finished runs are read again
    assert capsys.readouterr().out.endswith(first)


def test_combinations_rank_by_the_windows_of_each_hit() -> None:
    def hit(docid: str, rank: int, *likelihoods: float) -> RankedHit:
        windows = tuple(ScoredWindow(n, n + 1, one) for n, one in enumerate(likelihoods))
        return RankedHit(docid, -1.0, rank, 9.0 - rank, rank, likelihood=max(likelihoods), windows=windows)

    lists = [RankedList("q", "", [hit("one good", 1, -5.0, -1.0, -5.0), hit("all fair", 2, -2.0, -2.0, -2.0)])]
    value = {name: ndcg(lists, {"q": {"one good": 1}}, config, None)[0] for name, config in COMBINATIONS.items()}
    assert value["max"] == value["smooth, t = 0.03"] == 1
    assert value["first"] == value["mean of 3"] == pytest.approx(1 / np.log2(3))
    assert best_on_average({name: np.array([one]) for name, one in value.items()}) == "max"
