"""Rows against each other, several seeds as one score, and gain against the first stage's quality."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pyserini_qpeft.evaluation.correlation import correlate
from pyserini_qpeft.evaluation.experiment.cells import Cell
from pyserini_qpeft.evaluation.experiment.outcome import Outcome
from pyserini_qpeft.evaluation.experiment.spec import Experiment
from pyserini_qpeft.evaluation.significance import SignificanceConfig, bootstrap_interval, holm

COLUMNS = ("one / BM25", "two / BM25", "three / BM25")
GAINS = {"first stage": 0.0, "m/R, depth 10": 0.1, "m/A, depth 10": 0.13}
COMPARISONS = (("m/A, depth 10", "m/R, depth 10"), ("m/R, depth 10", "first stage"))


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Three columns of 40 queries each; A has three seeds, whose queries come in another order."""
    draw = np.random.default_rng(1)
    cells = []
    for place, column in enumerate(COLUMNS):
        base = draw.uniform(0.1 * place, 0.1 * place + 0.5, size=40)
        for row, gain in GAINS.items():
            for seed in (1, 2, 3) if row.startswith("m/A") else (None,):
                values = base + draw.normal(gain, 0.1, size=40)
                values[:5] = base[:5]
                frame = pd.DataFrame({"RR@10": values}, index=pd.Index([f"q{n}" for n in range(40)], name="qid"))
                cells.append(Cell(row, column, seed, frame.iloc[::-1] if seed else frame, ()))
    experiment = Experiment("x", (), (), measures=("RR@10",), comparisons=COMPARISONS)
    return Outcome(experiment, cells)


def per_query(outcome: Outcome, row: str, column: str) -> pd.Series:
    """The mean over the seeds of each query, made from the cells alone."""
    cells = [cell.scores["RR@10"] for cell in outcome.cells if (cell.row, cell.column) == (row, column)]
    return pd.concat(cells, axis=1).mean(axis=1).sort_index()


def test_rows_are_held_against_each_other_query_by_query(outcome: Outcome):
    found = outcome.comparisons["RR@10"]
    assert [(one.run, one.baseline, column) for column, one in found] == [
        (*pair, column) for pair in COMPARISONS for column in COLUMNS
    ]
    for column, one in found:
        treated, base = per_query(outcome, one.run, column), per_query(outcome, one.baseline, column)
        gains = treated - base
        assert one.effect == pytest.approx(gains.mean())
        assert one.p["t"] == pytest.approx(stats.ttest_rel(treated, base).pvalue)
        assert (one.low, one.high) == pytest.approx(bootstrap_interval(gains, SignificanceConfig()), abs=0.005)
        ties = int((gains.abs() < 1e-9).sum())
        assert (one.wins, one.ties, one.losses) == ((gains > 1e-9).sum(), ties, 40 - ties - (gains > 1e-9).sum())
        assert ties == 5


def test_holm_corrects_over_all_comparisons_of_the_table(outcome: Outcome):
    found = [one for _, one in outcome.comparisons["RR@10"]]
    assert [one.p_holm["t"] for one in found] == holm([one.p["t"] for one in found])


def test_several_seeds_have_a_t_interval_and_one_has_none(outcome: Outcome):
    scores = outcome.scores["RR@10"]
    means = [
        cell.scores["RR@10"].mean()
        for cell in outcome.cells
        if cell.row.startswith("m/A") and cell.column == COLUMNS[0]
    ]
    assert len(means) == 3
    interval = stats.t.interval(0.95, 2, loc=np.mean(means), scale=stats.sem(means))
    assert scores["m/A, depth 10", COLUMNS[0]].interval == pytest.approx(interval)
    assert scores["m/R, depth 10", COLUMNS[0]].interval is None


def test_the_gain_of_each_row_is_correlated_with_the_first_stage_over_the_columns(outcome: Outcome):
    section = outcome.sections()[-1]
    assert section.title == "RR@10: correlation of the gain with the quality of the first stage, 3 columns"
    assert [row[0] for row in section.rows] == list(GAINS)[1:]
    first = [per_query(outcome, "first stage", column).mean() for column in COLUMNS]
    for row in section.rows:
        gains = [per_query(outcome, row[0], column).mean() - base for column, base in zip(COLUMNS, first, strict=True)]
        found = correlate(first, gains)
        assert row[1:] == tuple(
            f"{value:.4f}" for value in (found.pearson, found.pearson_p, found.spearman, found.spearman_p)
        )


def test_tables_and_notes_say_all_of_it(outcome: Outcome):
    scores, against, _ = outcome.sections()
    assert "…" in dict((row[0], row[1]) for row in scores.rows)["m/A, depth 10"]
    assert against.title == "RR@10: rows compared with each other"
    assert against.columns == (
        *("run", "baseline", "column", "difference", "95 % interval", "wins", "ties", "losses"),
        *("p (t-test)", "Holm"),
    )
    assert len(against.rows) == 6
    text = " ".join(outcome.notes())
    assert "t-interval of the mean over the seeds" in text
    assert "Holm over all comparisons of the table" in text
    assert "makes the correlation negative" in text


def test_two_columns_have_no_correlation_and_nothing_is_compared_unasked(outcome: Outcome):
    few = Outcome(Experiment("x", (), ()), [cell for cell in outcome.cells if cell.column != COLUMNS[2]])
    assert [section.title for section in few.sections()] == ["RR@10"]
    assert "correlation" not in " ".join(few.notes())
