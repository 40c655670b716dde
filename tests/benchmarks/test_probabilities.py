"""The table of probabilities measures each collection with the curve of the others, on gains and on likelihoods."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from benchmarks import probabilities
from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.data.run_formats import run_formats


def test_gains_are_better_than_likelihoods_where_queries_differ_in_difficulty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    arguments = []
    for name in ("one", "two"):
        lines, judged = "", "query-id\tcorpus-id\tscore\n"
        for query in range(60):
            prior, gains = draw.normal(-6, 2), np.sort(draw.normal(0, 1.5, 20))[::-1]
            hits = [
                RankedHit(f"d{i}", float(prior + gain), i, 1.0, i, likelihood=float(prior + gain))
                for i, gain in enumerate(gains, start=1)
            ]
            relevant = draw.random(20) < expit(2 * gains - 3)
            judged += "".join(f"q{query}\t{hit.docid}\t{int(yes)}\n" for hit, yes in zip(hits, relevant, strict=True))
            lines += run_formats()["jsonl"].lines(RankedList(f"q{query}", "a query", hits, prior=prior), "t")
        (tmp_path / f"{name}.jsonl").write_text(lines)
        (tmp_path / f"{name}.tsv").write_text(judged)
        arguments.append(f"{name}={tmp_path}/{name}.jsonl,{tmp_path}/{name}.tsv")
    monkeypatch.setattr(sys, "argv", ["probabilities", *arguments])
    probabilities.main()
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in table] == ["one", "one", "two", "two", *["all, fitted on them"] * 2]
    skill = {(row[0], row[4]): float(row[7]) for row in table}
    assert skill["one", "gain"] > skill["one", "likelihood"] + 0.1
    assert skill["two", "gain"] > 0.2
