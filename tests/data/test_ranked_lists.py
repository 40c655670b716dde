import json
import math

import pytest

from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
from pyserini_qpeft.data.records import BestPassage, RankedHit, RankedList, ScoredWindow, StageScore
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.errors import QPeftError

HITS = [
    RankedHit("a", -1.5, 1, 9.25, 2, text="naïve 🙂\ntext", likelihood=-1.5),
    RankedHit("b", -2.5, 2, 9.75, 1),
    RankedHit("c", -3.5, 3, 8.0, 3, stages=(StageScore(2, -3.0, -3.0), StageScore(3, -3.5))),
]


def test_lists_read_back_as_they_were_written(tmp_path):
    lists = [RankedList("1", "a query", HITS, [["heart"], None, None], 0.25), RankedList("2", "é", [], [])]

    write_run(tmp_path / "run.gz", lists, "jsonl")

    assert holds_ranked_lists(tmp_path / "run.gz")
    assert read_ranked_lists(tmp_path / "run.gz") == lists


def test_lists_are_recognised_if_the_first_of_them_is_empty(tmp_path):
    lists = [RankedList("1", "a query", [], []), RankedList("2", "é", HITS, [None] * 3)]
    write_run(tmp_path / "run", lists, "jsonl")
    assert holds_ranked_lists(tmp_path / "run")
    assert read_ranked_lists(tmp_path / "run") == lists
    (tmp_path / "other").write_text('{"qid": "1", "hits": []}\n{"qid": "2", "hits": [{"docid": "a", "score": 1}]}\n')
    assert not holds_ranked_lists(tmp_path / "other")
    (tmp_path / "none").write_text('{"qid": "1", "hits": []}\n')
    assert holds_ranked_lists(tmp_path / "none")


def test_windows_are_written_with_the_best_of_them_and_read_back(tmp_path):
    windows = (ScoredWindow(0, 5, -2.5), ScoredWindow(6, 7, -1.5, "a#1"), ScoredWindow(8, 9, -1.5))
    hit = RankedHit("a", -1.5, 1, 9.25, 2, text="naïve 🙂\ntext", likelihood=-1.5, windows=windows)
    write_run(tmp_path / "run", [RankedList("1", "a query", [hit, HITS[1]], [None, None])], "jsonl")

    first, second = json.loads((tmp_path / "run").read_text())["hits"]
    assert first["best_passage"] == {"text": "🙂", "start": 6, "stop": 7, "likelihood": -1.5, "docid": "a#1"}
    assert first["windows"][0] == {"start": 0, "stop": 5, "likelihood": -2.5}
    assert not {"best_passage", "windows"} & second.keys()
    assert read_ranked_lists(tmp_path / "run")[0].hits == [hit, HITS[1]]
    assert hit.best_passage == BestPassage("🙂", 6, 7, -1.5, "a#1")
    assert HITS[1].best_passage is None


@pytest.mark.parametrize("windows", [[{"start": 1}], [5], [{"start": 0, "stop": 2, "likelihood": "?"}]])
def test_a_broken_window_is_a_mistake_with_its_place(tmp_path, windows):
    write_run(tmp_path / "run", [RankedList("1", "a query", HITS)], "jsonl")
    record = json.loads((tmp_path / "run").read_text())
    record["hits"][0]["windows"] = windows
    (tmp_path / "run").write_text(json.dumps(record))
    with pytest.raises(QPeftError, match=r"run:1: hit 1 \(a\)"):
        read_ranked_lists(tmp_path / "run")


@pytest.mark.parametrize("stages", [[5], 3, [{"rank": 1}], [{"rank": 1, "score": 1.0, "likelihood": "?"}]])
def test_a_broken_stage_is_a_mistake_with_its_place(tmp_path, stages):
    record = {"qid": "1", "hits": [{"docid": "a", "score": 1, "first_stage_score": 1, "first_stage_rank": 1}]}
    record["hits"][0]["stages"] = stages
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps(record))
    with pytest.raises(QPeftError, match=r"run\.jsonl:1: hit 1 \(a\)"):
        read_ranked_lists(path)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_first_stage_score_that_is_not_finite_is_null_in_json_and_comes_back_as_nan(tmp_path, score):
    write_run(tmp_path / "run", [RankedList("1", "a query", [RankedHit("a", -1.5, 1, score, 1)])], "jsonl")

    (hit,) = json.loads((tmp_path / "run").read_text(), parse_constant=pytest.fail)["hits"]
    assert hit["first_stage_score"] is None
    assert math.isnan(read_ranked_lists(tmp_path / "run")[0].hits[0].first_stage_score)


def test_a_trec_run_holds_one_score_of_a_hit_and_not_two(tmp_path):
    write_run(tmp_path / "run", [RankedList("1", "a query", HITS)])

    assert not holds_ranked_lists(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"qid": 1, "hits": [{"docid": "a", "score": 1}]}', "run:1: hit 1: no first-stage score and rank"),
        ('{"qid": 1, "hits": ["a"]}', "run:1: hit 1: no first-stage score and rank"),
        ('{"qid": 1}', "run:1: no list of hits"),
        ('{"qid": 1, "hits": []}\n{"qid": "1", "hits": []}', "run:2: query 1 occurs a second time"),
    ],
)
def test_other_json_is_refused_in_one_sentence(tmp_path, text, message):
    (tmp_path / "run").write_text(text)

    with pytest.raises(QPeftError, match=message):
        read_ranked_lists(tmp_path / "run")
