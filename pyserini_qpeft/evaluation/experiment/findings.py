"""Comparisons between rows of an experiment, and the correlation of gains with the quality of the first stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyserini_qpeft.evaluation.correlation import correlate
from pyserini_qpeft.evaluation.experiment.spec import FIRST_STAGE
from pyserini_qpeft.evaluation.significance import (
    Difference,
    SignificanceConfig,
    holm_corrected,
    paired_difference,
)
from pyserini_qpeft.evaluation.tables import Section, difference_cells, difference_heads, number_shown, p_shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Score:
    """One measure in one row and column.

    Attributes:
        mean: Mean over queries and seeds.
        interval: 95 % t-interval of the mean over the seeds; None for one seed.
        per_query: For each query, the mean over the seeds.
        significant: Whether the difference from the first stage is significant; false for the first stage.
    """

    mean: float
    interval: tuple[float, float] | None
    per_query: "pd.Series[float]"
    significant: bool = False


Scores = Mapping[tuple[str, str], Score]
"""Scores of one measure by row and column."""


def over_seeds(values: Sequence["pd.Series[float]"], confidence: float = 0.95) -> Score:
    """Combine the values of several seeds into the score of a row in a column.

    Args:
        values: For each seed, the measure's value for each query.
        confidence: Confidence level of the interval.
    """
    import pandas as pd
    from scipy import stats

    means = np.array([one.mean() for one in values])
    mean, interval = float(means.mean()), None
    if len(means) > 1:
        half = float(stats.t.ppf((1 + confidence) / 2, len(means) - 1) * stats.sem(means))
        interval = (mean - half, mean + half)
    return Score(mean, interval, pd.concat(list(values), axis=1).mean(axis=1))


def compare_rows(
    scores: Scores,
    pairs: Sequence[tuple[str, str]],
    columns: Sequence[str],
    measure: str,
    config: SignificanceConfig,
) -> list[tuple[str, Difference]]:
    """Compare rows with each other, in every column that has both.

    Args:
        scores: Scores of the measure.
        pairs: Pairs of a row and its baseline.
        columns: Columns of the table.
        measure: Name of the measure.
        config: The tests and the interval.

    Returns:
        For each comparison, the column and the difference. Their p-values are one family of Holm's correction.
    """
    places = [(pair, column) for pair in pairs for column in columns if all((row, column) in scores for row in pair)]
    found = []
    for (row, baseline), column in places:
        base = scores[baseline, column].per_query
        treated = scores[row, column].per_query.loc[base.index]
        found.append(paired_difference((row, baseline), measure, treated, base, config))
    return list(zip((column for _, column in places), holm_corrected(found, config), strict=True))


def comparison_section(measure: str, found: Sequence[tuple[str, Difference]], config: SignificanceConfig) -> Section:
    """Return the result of `compare_rows` as a table."""
    rows = [(one.run, one.baseline, column, *difference_cells(one, config)) for column, one in found]
    return Section(
        f"{measure}: rows compared with each other",
        ("run", "baseline", "column", *difference_heads(config)),
        tuple(rows),
    )


def correlation_section(measure: str, scores: Scores, columns: Sequence[str]) -> Section | None:
    """Correlate each row's gain with the quality of the first stage, over the columns; None for fewer than three."""
    known = [column for column in columns if (FIRST_STAGE, column) in scores]
    reranked = [row for row in dict.fromkeys(row for row, _ in scores) if row != FIRST_STAGE]
    if len(known) < 3 or not reranked:
        return None
    first = np.array([scores[FIRST_STAGE, column].mean for column in known])
    cells = []
    for row in reranked:
        found = correlate(first, np.array([scores[row, column].mean for column in known]) - first)
        pearson, spearman = (number_shown(value) for value in (found.pearson, found.spearman))
        cells.append((row, pearson, p_shown(found.pearson_p), spearman, p_shown(found.spearman_p)))
    heads = ("run", "Pearson's r", "p (r)", "Spearman's rho", "p (rho)")
    return Section(
        f"{measure}: correlation of the gain with the quality of the first stage, {len(known)} columns",
        heads,
        tuple(cells),
    )
