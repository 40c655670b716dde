"""The result of an experiment: its tables, and the scores that differ from the expected ones."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyserini_qpeft.evaluation.experiment.cells import Cell
from pyserini_qpeft.evaluation.experiment.findings import (
    Score,
    compare_rows,
    comparison_section,
    correlation_section,
    over_seeds,
)
from pyserini_qpeft.evaluation.experiment.spec import FIRST_STAGE, Experiment
from pyserini_qpeft.evaluation.significance import SignificanceConfig, holm, paired_p_value
from pyserini_qpeft.evaluation.tables import CONVENTIONS, SIGNIFICANT, Section

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Moved:
    """A score that differs from the expected one; `found` is None if the experiment has no such cell."""

    row: str
    column: str
    measure: str
    expected: float
    found: float | None

    def __str__(self) -> str:
        place = f"{self.row}, {self.column}, {self.measure}"
        if self.found is None:
            return f"{place}: expected {self.expected:.4f}, and the experiment has no such score"
        return f"{place}: {self.found:.4f}, expected {self.expected:.4f} ({self.found - self.expected:+.4f})"


class Outcome:
    """All cells of an experiment, with comparisons and correlations.

    Args:
        experiment: The experiment.
        cells: Its cells.

    Attributes:
        scores: For each measure, scores by row and column.
        comparisons: For each measure, the comparisons that the experiment asks for, in each column.
    """

    def __init__(self, experiment: Experiment, cells: Iterable[Cell]) -> None:
        self.experiment = experiment
        self._tests = SignificanceConfig()
        self.cells = list(cells)
        self.rows = list(dict.fromkeys(cell.row for cell in self.cells))
        self.columns = list(dict.fromkeys(cell.column for cell in self.cells))
        self.measures = list(dict.fromkeys(str(name) for cell in self.cells for name in cell.scores.columns))
        self.scores = {measure: self._scores(measure) for measure in self.measures}
        self.comparisons = {
            measure: compare_rows(scores, experiment.comparisons, self.columns, measure, self._tests)
            for measure, scores in self.scores.items()
        }
        correlations = [correlation_section(measure, scores, self.columns) for measure, scores in self.scores.items()]
        self._correlations = [section for section in correlations if section is not None]

    def sections(self) -> list[Section]:
        """Return a table of scores for each measure, then comparisons between rows, then correlations."""
        tables = [
            Section(
                measure,
                ("run", *self.columns),
                tuple((row, *(_shown(scores.get((row, column))) for column in self.columns)) for row in self.rows),
            )
            for measure, scores in self.scores.items()
        ]
        tables += [
            comparison_section(measure, found, self._tests) for measure, found in self.comparisons.items() if found
        ]
        return tables + self._correlations

    def notes(self) -> list[str]:
        """Return the notes below the tables."""
        tests = self._tests
        sentences = [
            CONVENTIONS,
            f"{SIGNIFICANT}: p < {tests.alpha:g} against the first stage of the column (paired t-test, two-sided, "
            "Holm-corrected over all comparisons of the table; with several seeds, on the means over the seeds).",
        ]
        if any(score.interval is not None for scores in self.scores.values() for score in scores.values()):
            sentences.append("(low … high): 95 % t-interval of the mean over the seeds.")
        if self.experiment.comparisons:
            sentences.append(
                "Rows compared with each other: the run minus the baseline; intervals: 95 % percentile bootstrap over "
                f"queries, {tests.resamples:,} resamples, seed {tests.seed}; Holm over all comparisons of the table."
            )
        if self._correlations:
            sentences.append(
                "Correlation of the gain with the quality of the first stage: over the means of the columns; p-values "
                "are two-sided, not corrected, and of rho by permutations. The gain contains the value of the first "
                "stage with a minus sign, which alone makes the correlation negative."
            )
        if "dev" in self.experiment.fusions:
            sentences.append(f"fused (dev): weight chosen on the dev queries by {self.experiment.measures[0]}.")
        if "model" in self.experiment.fusions:
            sentences.append("fused: the weight that comes with the model.")
        return sentences

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Return the commands that compute each cell, by the name of the cell."""
        return {
            f"{cell.row} | {cell.column}" + ("" if cell.seed is None else f" | seed {cell.seed}"): cell.commands
            for cell in self.cells
        }

    def as_expected(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return all scores, rounded to four places, in the form of `expected` in the YAML file."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for measure, scores in self.scores.items():
            for (row, column), score in scores.items():
                found.setdefault(row, {}).setdefault(column, {})[measure] = round(score.mean, 4)
        return found

    def moved(self) -> list[Moved]:
        """Return the scores that differ from the expected ones by more than the tolerance."""
        moved: list[Moved] = []
        for row, columns in self.experiment.expected.items():
            for column, values in columns.items():
                for measure, expected in values.items():
                    score = self.scores.get(measure, {}).get((row, column))
                    found = None if score is None else score.mean
                    # Rounding the expected value to four places changes it by up to half a unit of the fourth.
                    if found is None or abs(found - expected) > self.experiment.tolerance + 0.00005:
                        moved.append(Moved(row, column, measure, expected, found))
        return moved

    def first_stage_and_gains(self) -> tuple["pd.Series[float]", dict[str, "pd.Series[float]"]]:
        """Return the first measure of the first stage of each column, and the gain of each row over it."""
        import pandas as pd

        scores = self.scores[self.measures[0]]
        first = pd.Series({column: scores[FIRST_STAGE, column].mean for column in self.columns})
        gains = {
            row: pd.Series({column: scores[row, column].mean - first[column] for column in self.columns})
            for row in self.rows
            if row != FIRST_STAGE
        }
        return first, gains

    def _scores(self, measure: str) -> dict[tuple[str, str], Score]:
        by_place: dict[tuple[str, str], list[pd.Series[float]]] = {}
        for cell in self.cells:
            if measure in cell.scores:
                by_place.setdefault((cell.row, cell.column), []).append(cell.scores[measure].dropna())
        scores = {place: over_seeds(values) for place, values in by_place.items()}
        others = [place for place in scores if place[0] != FIRST_STAGE]
        p = [paired_p_value("t", scores[place].per_query, scores[FIRST_STAGE, place[1]].per_query) for place in others]
        for place, corrected in zip(others, holm(p), strict=True):
            scores[place] = replace(scores[place], significant=corrected < self._tests.alpha)
        return scores


def _shown(score: Score | None) -> str:
    if score is None:
        return "–"
    spread = "" if score.interval is None else f" ({score.interval[0]:.4f} … {score.interval[1]:.4f})"
    return f"{score.mean:.4f}{SIGNIFICANT if score.significant else ''}{spread}"
