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


def test_shows_the_three_lists_the_judgements_the_old_ranks_and_the_hints() -> None:
    docids = ("select.select", "time.sleep", "asyncio.sleep")
    alone = _list("time.sleep", "asyncio.sleep", "select.select", before=docids)
    fused = _list("time.sleep", "select.select", "asyncio.sleep", before=docids)
    hints = [["sleep", "sec", "sleep"], [], ["wait"]]
    text = page.side_by_side(_list(*docids), alone, fused, {"time.sleep": 2, "asyncio.sleep": 1}, hints)
    title, _, first, second, third, *hinted = text.splitlines()
    assert title == "“how do I sleep”"
    assert first.split() == ["1", "select.select", "●", "time.sleep", "2", "●", "time.sleep", "2"]
    assert second.split() == ["2", "●", "time.sleep", "○", "asyncio.sleep", "3", "select.select", "1"]
    assert third.split() == ["3", "○", "asyncio.sleep", "select.select", "1", "○", "asyncio.sleep", "3"]
    assert [line.strip() for line in hinted] == ["hints in time.sleep: sleep sec", "hints in asyncio.sleep: wait"]


def test_no_line_is_wider_than_the_terminal_and_the_end_of_a_name_is_kept() -> None:
    long = "concurrent.futures.thread.ThreadPoolExecutor." + "x" * 60 + ".the_end"
    docids = tuple(f"{long}{place}" for place in range(40))
    hints = [["hint"] * 3 + ["w" * 30 + f" {place}" for place in range(5)]] * page.ROWS
    text = page.side_by_side(*[_list(*docids)] * 3, {docids[3]: 1}, hints)
    assert all(len(line) <= page.WIDTH for line in text.splitlines())
    assert text.count("…the_end3 ") == 3
    assert text.count("○ ") == 3
    assert len(text.splitlines()) == 2 + page.ROWS + page.HINTED


def test_the_titles_stand_above_their_columns() -> None:
    _, titles, row = page.side_by_side(*[_list("a.name")] * 3, {"a.name": 2}).splitlines()
    marks = [place for place, mark in enumerate(row) if mark == "●"]
    assert [titles[place:].split("  ")[0] for place in marks] == [
        "BM25",
        "likelihood alone",
        "likelihood and BM25 fused",
    ]
    assert titles.rstrip().endswith("was")
    assert len(titles) == len(row)


def test_lists_shorter_than_the_page_and_empty_ones_are_shown() -> None:
    assert len(page.side_by_side(*[_list()] * 3, {}).splitlines()) == 2
    assert len(page.side_by_side(*[_list("a")] * 3, {}, [[]]).splitlines()) == 3


def test_the_legend_names_the_model_and_the_weights() -> None:
    legend = page.legend("my-model", 0.6)
    assert all(len(line) <= page.WIDTH for line in legend.splitlines())
    words = " ".join(legend.split())
    assert "the language model (my-model)" in words
    assert "0.6 × likelihood + 0.4 × BM25" in words


def test_the_table_has_a_line_for_each_stage_under_its_measures() -> None:
    means = pd.DataFrame({"nDCG@10": [0.5, 0.25], "R@100": [1.0, 0.125]}, index=["BM25", "fused"])
    head, *rows = page.measures_table(means).splitlines()
    assert head.split() == ["nDCG@10", "R@100"]
    assert [row.split() for row in rows] == [["BM25", "0.5000", "1.0000"], ["fused", "0.2500", "0.1250"]]
    assert len({len(line) for line in (head, *rows)}) == 1
