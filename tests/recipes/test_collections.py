"""The recipes that read collections run from the collections to their figures."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from pyserini_qpeft.data.qrels import read_qrels
from recipes import adapter_trial, fusion_weight

DOCUMENTS = {
    "river": "The Nile is the longest river of Africa and flows through Egypt.",
    "city": "Paris is the capital of France, on the river Seine.",
    "priest": "Aaron is a prophet, high priest and the brother of Moses.",
}
QUERIES = {"a": "which river flows through Egypt", "b": "the capital of France", "c": "the brother of Moses"}


def write_collections(folder: Path, names: Iterable[str]) -> None:
    """Small BEIR folders; the queries of a collection have its name in their ids."""
    for name in names:
        (folder / name / "qrels").mkdir(parents=True)
        documents = [{"_id": docid, "title": "", "text": text} for docid, text in DOCUMENTS.items()]
        queries = [{"_id": f"{name}-{qid}", "text": text} for qid, text in QUERIES.items()]
        (folder / name / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
        (folder / name / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
        judged = "".join(f"{name}-{qid}\t{docid}\t1\n" for qid, docid in zip(QUERIES, DOCUMENTS, strict=True))
        for split in ("train", "dev"):
            (folder / name / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)


def test_a_weight_is_chosen_over_the_queries_of_all_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_collections(tmp_path / "data", fusion_weight.COLLECTIONS)
    options = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--queries", "2", "--depth", "2"]
    monkeypatch.setattr("sys.argv", ["fusion_weight", *options, "--dtype", "float32", "--quiet"])
    fusion_weight.main()
    assert "on 6 dev queries" in capsys.readouterr().out
    expected = {f"{name}-{qid}" for name in fusion_weight.COLLECTIONS for qid in ("a", "b")}
    assert read_qrels(tmp_path / "work" / "qrels.tsv").keys() == expected
    assert 0 <= json.loads((tmp_path / "work" / "tuned.json").read_text())["fusion"]["weight"] <= 1


def test_a_trial_trains_an_adapter_and_compares_it_with_the_bare_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_collections(tmp_path / "data", adapter_trial.TRAINING_QUERIES)
    options = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--name", "trial", "--model", "tiny"]
    training = ["--max-queries", "4", "--batch-queries", "4", "--epochs", "1", "--negatives", "1", "--dtype", "float32"]
    sizes = ["--dev-lists", "2", "--depth", "2"]
    monkeypatch.setattr("sys.argv", ["adapter_trial", *options, *sizes, *training, "--device", "cpu", "--quiet"])
    adapter_trial.main()
    printed = capsys.readouterr().out
    assert (tmp_path / "work" / "trial" / "adapter_model.safetensors").exists()
    assert printed.count("6 development queries") == 2
    assert printed.count("first stage") >= 2
    assert "bare" in printed
