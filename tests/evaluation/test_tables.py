"""Tables say what the comparison says, whatever the format, and survive odd names."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.evaluation import Comparison, ComparisonConfig, Difference, SignificanceConfig, compare
from pyserini_qpeft.evaluation.answers import score_answers, summarise_answers
from pyserini_qpeft.evaluation.exports import to_csv, to_json
from pyserini_qpeft.evaluation.latency import summarise_latency
from pyserini_qpeft.evaluation.report import to_html
from pyserini_qpeft.evaluation.tables import (
    difference_cells,
    notes,
    number_shown,
    sections,
    to_latex,
    to_markdown,
    to_text,
)

ODD = "007_<b>&|%"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    def run(*relevant_at: int) -> Run:
        return {
            f"q{n}": [ScoredDoc("r" if i == place else f"d{i}", float(-i)) for i in range(10)]
            for n, place in enumerate(relevant_at)
        }

    runs = {"bm25": run(4, 5, 6, 7, 8, 9, 3, 2), ODD: run(0, 0, 1, 0, 0, 1, 0, 0)}
    qrels = {f"q{n}": {"r": 1} for n in range(8)}
    config = ComparisonConfig(measures=("RR@10", "P@5"), significance=SignificanceConfig(resamples=200))
    answers = score_answers(runs["bm25"], {"q0": ["yes"], "q1": ["no"]}, lambda docid: f"{docid} yes", (5, 10))
    return replace(
        compare(runs, qrels, config),
        answers={"bm25": summarise_answers(answers)},
        latency={ODD: summarise_latency({"q0": 0.1, "q1": 0.3})},
    )


def test_the_table_shows_means_marks_depth_and_latency(comparison):
    first = sections(comparison)[0]
    assert first.columns == ("run", "RR@10", "P@5", "depth", "unjudged@10", "ms/query", "ms/query (95th %)")
    assert first.rows[0] == ("bm25", "0.1786", "0.0750", "10.0", "90.0%", "–", "–")
    assert first.rows[1][:2] == (ODD, "0.8750*")
    assert first.rows[1][5:] == ("200.0", "290.0")


def test_answers_are_shown_on_all_queries_and_on_those_with_an_answer(comparison):
    by_title = {section.title: section for section in sections(comparison)}
    assert by_title["H@k by answers"].columns == ("run", "queries", "H@5", "H@10")
    assert by_title["H@k by answers"].rows == (
        ("bm25", "all queries (2)", "0.5000", "0.5000"),
        ("bm25", "answer in the list (1)", "1.0000", "1.0000"),
    )
    assert by_title["R@k by answers"].rows[1] == ("bm25", "answer in the list (1)", "0.5000", "1.0000")


def test_the_notes_say_how_trec_eval_counts_and_how_it_was_tested(comparison):
    text = " ".join(notes(comparison))
    assert "equal scores by docid, descending" in text
    assert "missing from a run count as 0" in text
    assert "paired t-test, two-sided, Holm-corrected over 2 comparisons" in text
    assert "answers are matched as in DPR" in text


@pytest.mark.parametrize("written", [to_text, to_markdown])
def test_text_and_markdown_keep_names_as_they_are(comparison, written):
    assert re.search(r"007_<b>&\S*%.*0\.8750\*", written(sections(comparison), notes(comparison)))


def test_markdown_tables_have_as_many_cells_in_each_row(comparison):
    blocks = [
        block.splitlines()
        for block in to_markdown(sections(comparison), notes(comparison)).split("\n\n")
        if block.startswith("|")
    ]
    cells = [{len(re.findall(r"(?<!\\)\|", row)) - 1 for row in block} for block in blocks]
    assert cells == [{len(section.columns)} for section in sections(comparison)]


def test_latex_escapes_names_and_balances_its_tables(comparison):
    text = to_latex(sections(comparison), notes(comparison))
    assert r"007\_" in text
    assert r"\&" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 4


def test_nothing_has_no_sign_of_its_own():
    one = Difference("a", "b", "AP", -1e-17, -0.02, 1e-17, 0, 2, 0, {"t": 1.0}, {"t": float("nan")})
    cells = difference_cells(one, SignificanceConfig())
    assert cells == ("+0.0000", "-0.0200 … +0.0000", "0", "2", "0", "1.0000", "–")
    assert number_shown(-1e-17) == "0.0000"


def test_csv_reads_back(comparison):
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert [(row["run"], row["measure"]) for row in rows] == [
        ("bm25", "RR@10"), (ODD, "RR@10"), ("bm25", "P@5"), (ODD, "P@5"),
    ]  # fmt: skip
    assert float(rows[1]["mean"]) == comparison.means().loc[ODD, "RR@10"]
    assert float(rows[1]["p_t_holm"]) == comparison.differences[0].p_holm["t"]
    assert (rows[1]["wins"], rows[0]["wins"]) == ("8", "")


def test_json_holds_everything_and_is_strict(comparison):
    record = json.loads(to_json(comparison), parse_constant=pytest.fail)
    assert record["runs"][ODD]["per_query"]["q2"]["RR@10"] == 0.5
    assert record["runs"][ODD]["latency"]["mean"] == pytest.approx(0.2)
    assert record["runs"]["bm25"]["answers"]["all queries"]["H@5"] == 0.5
    assert record["differences"][0]["wins"] == 8


def test_json_of_a_single_query_has_no_p_value():
    run = {"q": [ScoredDoc("a", 1.0)]}
    comparison = compare({"a": run, "b": {"q": [ScoredDoc("b", 2.0), *run["q"]]}}, {"q": {"a": 1}})
    record = json.loads(to_json(comparison), parse_constant=pytest.fail)
    assert record["differences"][0]["p"]["t"] is None
    assert "no t-test; it needs 5 queries or more" in to_text(sections(comparison), notes(comparison))


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.loads, self.open, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += text


def test_the_report_is_one_file_with_every_cell_and_nothing_to_load(comparison):
    from pyserini_qpeft.evaluation.figures import evaluation_figures
    from pyserini_qpeft.evaluation.plots.evaluation import Evaluation

    page = to_html("Runs & more", sections(comparison), notes(comparison), evaluation_figures(Evaluation(comparison)))
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "b" not in reader.tags
    assert {"img", "table"} <= reader.tags
    assert all(load.startswith("data:image/png;base64,") for load in reader.loads)
    assert len(reader.loads) == 3
    for section in sections(comparison):
        for row in section.rows:
            assert set(row) <= set(reader.cells)
