"""A list of hits is a list, and shows itself as a table in a notebook and as a DataFrame."""

import math
from dataclasses import replace

import pandas as pd
from bs4 import BeautifulSoup

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, ScoredWindow

HITS = [
    RankedHit("d3", 1.25, 1, 7.0, 3, text="The <b>third</b> & 'best'\n  text", likelihood=-1.5),
    RankedHit("<script>alert(1)</script>", 1.0, 2, math.nan, 1, text="x" * 500, likelihood=-2.0),
    RankedHit("d2", 0.5, 3, 8.0, 2),
]


def cells(html: str) -> list[list[str]]:
    return [
        [cell.text for cell in row.find_all(["th", "td"])] for row in BeautifulSoup(html, "html.parser").find_all("tr")
    ]


def test_it_is_a_list_and_so_are_its_slices() -> None:
    hits = RankedHits(HITS)
    assert hits == HITS
    assert hits[0] is HITS[0]
    assert type(hits[:2]) is RankedHits
    assert hits[:2] == HITS[:2]
    assert RankedHits() == []


def test_a_notebook_shows_a_table_with_the_text_escaped() -> None:
    html = RankedHits(HITS)._repr_html_()
    assert cells(html) == [
        ["rank", "docid", "score", "likelihood", "first-stage rank", "first-stage score", "text"],
        ["1", "d3", "1.2500", "-1.5000", "3 (↑2)", "7.0000", "The <b>third</b> & 'best' text"],
        ["2", "<script>alert(1)</script>", "1.0000", "-2.0000", "1 (↓1)", "", "x" * 159 + "…"],
        ["3", "d2", "0.5000", "", "2 (↓1)", "8.0000", ""],
    ]
    assert "<script" not in html
    assert "<b>" not in html
    many = RankedHits(HITS * 10)._repr_html_()
    assert len(cells(many)) == 21
    assert "and 10 more hits" in many


def test_probabilities_have_a_column_of_the_table_if_there_are_any() -> None:
    hits = [replace(HITS[0], probability=0.25), *HITS[1:]]
    assert [row[4] for row in cells(RankedHits(hits)._repr_html_())] == ["probability", "0.2500", "", ""]


def test_a_frame_has_a_row_for_each_hit_and_numbers_as_numbers() -> None:
    frame = RankedHits(HITS).to_dataframe()
    assert frame.columns.tolist() == [
        *("docid", "score", "rank", "first_stage_score", "first_stage_rank", "text", "likelihood", "probability")
    ]
    assert frame.docid.tolist() == [hit.docid for hit in HITS]
    assert frame.likelihood.isna().tolist() == [False, False, True]
    assert frame.dtypes[["score", "likelihood", "first_stage_score"]].tolist() == [float] * 3
    empty = RankedHits().to_dataframe()
    assert empty.columns.equals(frame.columns)
    pd.testing.assert_series_equal(empty.dtypes[["score", "likelihood"]], frame.dtypes[["score", "likelihood"]])


def test_the_best_passage_of_a_document_is_shown_and_has_a_column() -> None:
    windows = (ScoredWindow(0, 5, -2.0), ScoredWindow(6, 12, -1.0))
    document = RankedHit("d", -1.0, 1, 7.0, 1, text="first second", likelihood=-1.0, windows=windows)
    hits = RankedHits([document, *HITS])
    assert [row[-1] for row in cells(hits._repr_html_())][1:3] == ["second", "The <b>third</b> & 'best' text"]
    frame = hits.to_dataframe()
    assert frame.best_passage.tolist()[0] == "second"
    assert frame.best_passage.isna().tolist() == [False, True, True, True]
    assert frame.windows.tolist()[0][1] == {"start": 6, "stop": 12, "likelihood": -1.0, "docid": None}
    assert "stages" not in frame.columns
