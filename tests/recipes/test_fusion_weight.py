"""The recipe of the fusion weights runs from the collections to a weight."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.data.qrels import read_qrels
from recipes import fusion_weight

DOCUMENTS = {
    "river": "The Nile is the longest river of Africa and flows through Egypt.",
    "city": "Paris is the capital of France, on the river Seine.",
    "priest": "Aaron is a prophet, high priest and the brother of Moses.",
}
QUERIES = {"a": "which river flows through Egypt", "b": "the capital of France", "c": "the brother of Moses"}


def test_a_weight_is_chosen_over_the_queries_of_all_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in fusion_weight.COLLECTIONS:
        folder = tmp_path / "data" / name
        (folder / "qrels").mkdir(parents=True)
        documents = [{"_id": docid, "title": "", "text": text} for docid, text in DOCUMENTS.items()]
        queries = [{"_id": f"{name}-{qid}", "text": text} for qid, text in QUERIES.items()]
        (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
        (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
        judged = "".join(f"{name}-{qid}\t{docid}\t1\n" for qid, docid in zip(QUERIES, DOCUMENTS, strict=True))
        (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    options = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--queries", "2", "--depth", "2"]
    monkeypatch.setattr("sys.argv", ["fusion_weight", *options, "--dtype", "float32", "--quiet"])
    fusion_weight.main()
    assert "on 6 dev queries" in capsys.readouterr().out
    expected = {f"{name}-{qid}" for name in fusion_weight.COLLECTIONS for qid in ("a", "b")}
    assert read_qrels(tmp_path / "work" / "qrels.tsv").keys() == expected
    assert 0 <= json.loads((tmp_path / "work" / "tuned.json").read_text())["fusion"]["weight"] <= 1
