"""The best combination of the windows' likelihoods is found on dev queries, with the depth and the weight."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredWindow
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.sweep import from_ranked_lists
from pyserini_qpeft.evaluation.tune import TuneConfig, tune
from pyserini_qpeft.evaluation.window_choice import combinations, tune_windows
from pyserini_qpeft.reranking.config_file import read_rerank_config
from pyserini_qpeft.windows.combining import combine
from pyserini_qpeft.windows.config import WindowConfig

GRID = TuneConfig(measure="RR@10", weights=(1.0,), depths=(6,))
QRELS = {f"q{number}": {"right": 1} for number in range(9)}


def lists() -> list[RankedList]:
    """Lists in which the mean of the best two windows finds the right document, and a single window does not."""
    draw = random.Random(3)
    found = []
    for qid in QRELS:
        likelihoods = {"right": [-3.0, -1.1, -1.2]}
        for number in range(5):
            likelihoods[f"d{number}"] = [-2.9, -0.5 - draw.random() / 2, -4.0]
        places = draw.sample(sorted(likelihoods), 6)
        hits = [
            RankedHit(
                docid, -float(place), place, 9.0 - place, place, likelihood=max(likelihoods[docid]),
                windows=tuple(ScoredWindow(9 * i, 9 * i + 9, one) for i, one in enumerate(likelihoods[docid])),
            )
            for place, docid in enumerate(places, start=1)
        ]  # fmt: skip
        found.append(RankedList(qid, "a query", hits))
    return found


def test_the_best_combination_is_taken_and_gives_the_likelihoods() -> None:
    given = WindowConfig(size=64, stride=32)
    tuned, run = tune_windows(lists(), QRELS, given, GRID)
    assert tuned.config.windows == replace(given, combine="mean", best=2)
    assert tuned.value == 1.0
    assert tuned.value > tune(from_ranked_lists(lists()), QRELS, GRID).value
    for one in lists():
        expected = {
            hit.docid: combine([window.likelihood for window in hit.windows], tuned.config.windows) for hit in one.hits
        }
        assert {hit.docid: hit.likelihood for hit in run[one.qid]} == pytest.approx(expected)


def test_the_lists_are_read_once() -> None:
    given = WindowConfig(size=64, stride=32)
    tuned, run = tune_windows(iter(lists()), QRELS, given, GRID)
    again, same = tune_windows(lists(), QRELS, given, GRID)
    assert (tuned.config, tuned.value, run) == (again.config, again.value, same)


def test_of_equal_combinations_the_simplest_is_taken() -> None:
    same = [replace(one, hits=[replace(hit, windows=hit.windows[:1] * 2) for hit in one.hits]) for one in lists()]
    tuned, _ = tune_windows(same, QRELS, WindowConfig(combine="smooth"), GRID)
    assert tuned.config.windows == WindowConfig() == combinations(WindowConfig("first"))[0]


def test_the_command_writes_windows_that_rerank_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "dev.jsonl", lists(), "jsonl")
    (tmp_path / "qrels.txt").write_text("".join(f"{qid} 0 right 1\n" for qid in QRELS))
    words = ["tune", "--run", str(tmp_path / "dev.jsonl"), "--qrels", str(tmp_path / "qrels.txt")]
    words += ["--output", str(tmp_path / "tuned.json"), "--measure", "RR@10", "--weights", "1"]
    assert main([*words, "--windows", "--window-size", "64"]) == 0
    assert "weight 1 (zscore), windows mean of 2: RR@10 1.0000 on 9 dev queries" in capsys.readouterr().out
    assert read_rerank_config(tmp_path / "tuned.json").windows == WindowConfig("mean", 64, best=2)
    assert json.loads((tmp_path / "tuned.json").read_text())["windows"]["size"] == 64
    assert main([*words, "--window-size", "64"]) == 2
    assert "the size of windows has no effect without them: add --windows" in capsys.readouterr().err
    assert main([*words, "--windows", "--calibration", str(tmp_path / "c.json")]) == 2


def test_a_run_without_windows_has_nothing_to_choose() -> None:
    plain = [replace(one, hits=[replace(hit, windows=()) for hit in one.hits]) for one in lists()]
    with pytest.raises(QPeftError, match="no document of the run has several windows: rerank the dev queries"):
        tune_windows(plain, QRELS, WindowConfig(), GRID)
