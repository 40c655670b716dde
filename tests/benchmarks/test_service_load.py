"""The load benchmark of the service notices wrong answers, and computes its ratios within a round."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.service.clients import Clients, Load
from benchmarks.service.options import LoadOptions, Request
from benchmarks.service.report import Round, load_table, memory_table, percentile
from benchmarks.service.server import Usage

REQUEST = Request("q", ["a", "b"], [-1.0, -2.0])
CLIENTS: Any = Clients("http://nowhere", [REQUEST], 0.01, offline=None)


@pytest.mark.parametrize(
    ("results", "right"),
    [
        ([(1, -2.0), (0, -1.001)], True),
        ([(0, -2.0), (1, -1.0)], False),
        ([(0, -1.0)], False),
        ([(0, -1.0), (1, -2.0), (1, -2.0)], False),
        ([(0, -1.0), (2, -2.0)], False),
    ],
)
def test_a_lost_or_crossed_answer_is_wrong(results: list[tuple[int, float]], right: bool) -> None:
    answer = {"results": [{"index": place, "relevance_score": score} for place, score in results]}
    assert CLIENTS.is_right(answer, REQUEST) is right


def test_the_tables_compare_within_a_round_and_show_the_memory_of_each() -> None:
    before = Usage(1.0, 10.0, {"server": 50.0, "model": 500.0})
    first = Round(0, Load(8, 10.0, [0.5, 1.0]), 1000, 125.0, 60.0, before, replace(before, model_seconds=30.0))
    after = replace(before, server_seconds=2.0, model_seconds=30.0, megabytes={"server": 51.0, "model": 501.0})
    slow = Round(1, Load(8, 20.0, [2.0]), 1000, 62.5, 60.0, before, after)
    table = load_table(LoadOptions(clients=(8,)), [first, slow])
    # 100 of 125 documents per second, and 50 of 62.5.
    assert "80%" in table
    assert "83%" in table  # 1,000 documents in 20 seconds of a processor, beside 60 per second
    assert [line.split("|")[2:4] for line in memory_table([first, slow]).splitlines()[2:]] == [
        ["       50 ", "     500 "],
        ["       51 ", "     501 "],
    ]


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], percent) for percent in (25, 50, 95, 99)] == [1.0, 2.0, 4.0, 4.0]
