"""Comparison of results, the choice of depth and weight, and plots."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.evaluation import plots, tables
from pyserini_qpeft.evaluation.comparison import Comparison, ComparisonConfig
from pyserini_qpeft.evaluation.comparison import compare as compare_runs
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.evaluation.sweep import TwoStageRun, from_ranked_lists, two_stage_runs
from pyserini_qpeft.evaluation.tune import TuneConfig, Tuned, tune
from pyserini_qpeft.notebook.results import Results
from pyserini_qpeft.reranking.config import RerankConfig

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pyserini_qpeft.evaluation.plots.evaluation import Evaluation


@dataclass(frozen=True, repr=False)
class Compared:
    """Results that were compared. It shows the means of the measures, and the differences with significance tests.

    Attributes:
        comparison: The measures of each query and the differences.
        two_stages: The results that have the scores of both stages, by name.
        qrels: The qrels.
        chosen: Depth and fusion that were chosen on dev queries, or None.
    """

    comparison: Comparison
    two_stages: Mapping[str, TwoStageRun]
    qrels: Qrels
    chosen: RerankConfig | None = None

    def means(self) -> "pd.DataFrame":
        """The mean of each measure, results by measures."""
        return self.comparison.means()

    def gains(self, name: str, measure: str = "nDCG@10") -> "pd.Series[float]":
        """The results' value minus the baseline's, for each query."""
        return self.comparison.gains(name, measure)

    def write_report(self, path: Path | str, title: str = "Comparison") -> Path:
        """Write tables, notes and plots as one HTML file; the path is returned."""
        from pyserini_qpeft.evaluation.figures import evaluation_figures
        from pyserini_qpeft.evaluation.report import to_html

        shown, notes = tables.sections(self.comparison), tables.notes(self.comparison)
        with atomic_write(path) as file:
            file.write(to_html(title, shown, notes, evaluation_figures(self._evaluation())))
        return Path(path)

    def _evaluation(self) -> "Evaluation":
        from pyserini_qpeft.evaluation.plots.evaluation import Evaluation

        return Evaluation(self.comparison, self.two_stages, self.qrels, self.chosen)

    def __repr__(self) -> str:
        return str(self.means().round(4))

    def _repr_markdown_(self) -> str:
        return tables.to_markdown(tables.sections(self.comparison), tables.notes(self.comparison))


class Plot:
    """A figure that shows itself in a notebook, with any backend of matplotlib.

    Attributes:
        figure: matplotlib's figure.
    """

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure

    def save(self, path: Path | str) -> None:
        """Write the figure; the suffix names the format (.png, .svg, .pdf)."""
        from pyserini_qpeft.evaluation.plots.drawing import save_plot

        save_plot(self.figure, Path(path))

    def __repr__(self) -> str:
        return "Plot"

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=90)
        return file.getvalue()


def compare(
    results: Mapping[str, Results],
    measures: Sequence[str] = ("nDCG@10", "RR@10"),
    *,
    baseline: str | None = None,
    chosen: RerankConfig | None = None,
) -> Compared:
    """Measure results on the same queries, and compare each with the baseline.

    Args:
        results: Results by name.
        measures: Names of measures, as ir-measures writes them.
        baseline: Name of the results that the others are compared with; None is the first.
        chosen: Depth and fusion that were chosen on dev queries; plots mark the weight.

    Raises:
        QPeftError: The results are of different queries, or a measure is unknown.
    """
    if not results:
        raise QPeftError("there are no results to compare.")
    first, *others = results
    for name in others:
        if results[name].keys() != results[first].keys():
            raise QPeftError(f"{name} and {first} are results of different queries; see Results.only.")
    qrels = results[first].qrels
    runs = {name: one.run for name, one in results.items()}
    two_stages = two_stage_runs({name: one.lists for name, one in results.items()}, qrels)
    compared = compare_runs(runs, qrels, ComparisonConfig(measures=measures, baseline=baseline))
    return Compared(compared, two_stages, qrels, chosen)


def measure(results: Results, measures: Sequence[str] = ("nDCG@10", "RR@10")) -> "pd.Series[float]":
    """The mean of each measure over the judged queries of the results."""
    return score_queries(results.run, results.qrels, measures).mean()


def tune_on(results: Results, measure: str = "nDCG@10") -> Tuned:
    """Choose depth and fusion weight by the mean of a measure, as `qpeft tune` does.

    Args:
        results: Reranked results of development queries, which are not tested on.
        measure: Name of the measure.
    """
    return tune(from_ranked_lists(results.lists), results.qrels, TuneConfig(measure=measure))


def plot(compared: Compared, kind: str, name: str | None = None) -> Plot:
    """Draw one of the plots of `qpeft evaluate`.

    Args:
        compared: The comparison; its first measure is drawn.
        kind: "query-gains", "gain-against-first-stage", "fusion-weight" or "depth".
        name: For "query-gains", the results that are drawn; None is the first that are not the baseline.

    Raises:
        QPeftError: There is no such plot or name, or the results do not have what it draws.
    """
    kinds = [module.replace("_", "-") for module in plots.PLOTS]
    if kind not in kinds:
        raise QPeftError(f"there is no plot {kind!r}: there are {', '.join(kinds)}.{did_you_mean(kind, kinds)}")
    evaluation = compared._evaluation()
    others = evaluation.others
    if name is not None and name not in others:
        raise QPeftError(f"{name!r} is not compared: there are {', '.join(others)}.{did_you_mean(name, others)}")
    figures = [figure for _, figure in import_module(f"{plots.__name__}.{kind.replace('-', '_')}").figures(evaluation)]
    if not figures:
        raise QPeftError(f"these results have nothing to draw as {kind}: are they reranked?")
    return Plot(figures[others.index(name) if name is not None and len(figures) > 1 else 0])
