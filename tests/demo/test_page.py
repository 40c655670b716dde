"""The page fits a terminal of 100 columns and shows what moved."""

import pandas as pd

from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.demo import page


def _list(*docids: str, before: tuple[str, ...] = ()) -> RankedList:
    first_stage = before or docids
    hits = [
        RankedHit(docid, -rank, rank, 1.0, first_stage.index(docid) + 1) for rank, docid in enumerate(docids, start=1)
    ]
    return RankedList("q1", "how do I sleep", hits)


def test_shows_both_lists_the_judgements_the_old_rank_and_the_hints() -> None:
    docids = ("select.select", "time.sleep", "asyncio.sleep")
    after = _list("time.sleep", "asyncio.sleep", "select.select", before=docids)
    text = page.side_by_side(_list(*docids), after, [["sleep", "sec", "sleep"], [], ["wait"]], {"time.sleep": 2})
    assert text.splitlines()[0] == "“how do I sleep”"
    first, second, third = text.splitlines()[2:]
    assert first.split() == ["1", "select.select", "●", "time.sleep", "2", "sleep", "sec"]
    assert second.split() == ["2", "●", "time.sleep", "asyncio.sleep", "3"]
    assert third.split() == ["3", "asyncio.sleep", "select.select", "1", "wait"]


def test_no_line_is_wider_than_the_terminal_and_the_end_of_a_name_is_kept() -> None:
    long = "concurrent.futures.thread.ThreadPoolExecutor." + "x" * 60 + ".the_end"
    docids = tuple(f"{long}{place}" for place in range(40))
    text = page.side_by_side(_list(*docids), _list(*docids), [["hint"] * 3 + ["w" * 50]] * 10, {docids[3]: 1})
    assert all(len(line) <= page.WIDTH for line in text.splitlines())
    assert text.count("…the_end3 ") == 2
    assert text.count("○ ") == 2
    assert len(text.splitlines()) == 2 + page.ROWS


def test_lists_shorter_than_the_page_and_empty_ones_are_shown() -> None:
    assert len(page.side_by_side(_list(), _list(), [], {}).splitlines()) == 2
    assert len(page.side_by_side(_list("a"), _list("a"), [[]], {}).splitlines()) == 3


def test_the_table_has_a_line_for_each_stage_under_its_measures() -> None:
    means = pd.DataFrame({"nDCG@10": [0.5, 0.25], "R@100": [1.0, 0.125]}, index=["BM25", "fused"])
    head, *rows = page.measures_table(means).splitlines()
    assert head.split() == ["nDCG@10", "R@100"]
    assert [row.split() for row in rows] == [["BM25", "0.5000", "1.0000"], ["fused", "0.2500", "0.1250"]]
    assert len({len(line) for line in (head, *rows)}) == 1
