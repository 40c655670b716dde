"""The benchmark of cached passages measures every way, and no way changes a score."""

import json
from pathlib import Path

from tiny import WORDS, save_tiny_model

from benchmarks.cached_passages.__main__ import main


def test_every_way_is_measured_and_gives_the_same_scores(tmp_path: Path) -> None:
    model, folder = save_tiny_model(tmp_path / "model"), tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": str(n), "title": "", "text": " ".join(WORDS[: n + 2])} for n in range(6)]
    queries = [{"_id": f"q{n}", "text": f"{WORDS[n]} of France"} for n in range(2)]
    for name, records in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    qrels = "".join(f"q{n}\t{n}\t1\n" for n in range(2))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}")
    run = "".join(f"q{n} Q0 {rank} {rank + 1} {9 - rank} bm25\n" for n in range(2) for rank in range(6))
    (tmp_path / "run.txt").write_text(run)
    options = ["--hits", "6", "--rewrite-hits", "3", "--quality-hits", "6", "--rounds", "1", "--dtype", "float32"]
    places = [
        "--model",
        model,
        "--collection",
        folder,
        "--run",
        tmp_path / "run.txt",
        "--output",
        tmp_path / "rows.json",
    ]
    assert main([str(word) for word in (*places, *options)]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["table"] for row in rows] == ["query"] * 5 + ["rewrites"] * 3 + ["kept"] * 2
    assert all(row["seconds"] > 0 for row in rows)
    for row in rows:
        if "int8" not in row["way"] and "alone" not in row["way"]:
            assert row["difference"] < 1e-5, row
    assert 0 <= rows[-1]["ndcg"] <= 1
