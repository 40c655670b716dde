"""Several runs on the same qrels: their measures, and the difference of each run from the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.evaluation.coverage import Coverage, cover
from pyserini_qpeft.evaluation.latency import Latency
from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES, parse_measures, score_queries
from pyserini_qpeft.evaluation.reliability import Reliability
from pyserini_qpeft.evaluation.significance import Difference, SignificanceConfig, holm_corrected, paired_difference

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ComparisonConfig:
    """What is compared, and how.

    Attributes:
        measures: Names of measures, see `measures.parse_measures`.
        baseline: Name of the run that the others are compared with; None is the first.
        significance: The significance tests.
        judged_cutoff: Hits of each list that are counted for the share of unjudged hits.
    """

    measures: Sequence[str] = field(
        default=DEFAULT_MEASURES,
        metadata={"help": "measures, in the names of ir-measures, such as nDCG@10, AP(rel=2), RR@10"},
    )
    baseline: str | None = field(
        default=None, metadata={"help": "name of the run that the others are compared with (default: the first)"}
    )
    significance: SignificanceConfig = field(default_factory=SignificanceConfig)
    judged_cutoff: int = field(
        default=10, metadata={"help": "hits per query that are counted for the share of unjudged hits"}
    )

    def __post_init__(self) -> None:
        if self.judged_cutoff < 1:
            raise QPeftError(f"judged_cutoff must be 1 or more, and is {self.judged_cutoff}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs measured on the same queries.

    Attributes:
        baseline: Name of the run that the others are compared with.
        scores: For each run, a float64 frame of qids by measures; all have the same rows and columns.
        coverage: For each run, its depth and its share of unjudged hits.
        differences: Every other run minus the baseline, on each measure.
        significance: The tests that were used.
        answers: For each run, means of R@k and H@k by `answers.summarise_answers`; empty if there are no answers.
        latency: The time per query, for the runs that record it.
        reliability: How well probabilities agree with the qrels, for the runs that have them.
    """

    baseline: str
    scores: dict[str, "pd.DataFrame"]
    coverage: dict[str, Coverage]
    differences: tuple[Difference, ...]
    significance: SignificanceConfig
    answers: dict[str, "pd.DataFrame"] = field(default_factory=dict)
    latency: dict[str, Latency] = field(default_factory=dict)
    reliability: dict[str, Reliability] = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        """The names of the measures."""
        return list(self.scores[self.baseline].columns)

    def means(self) -> "pd.DataFrame":
        """Return a float64 frame, runs by measures: means over the judged queries."""
        import pandas as pd

        return pd.DataFrame({run: frame.mean() for run, frame in self.scores.items()}).T.rename_axis("run")

    def gains(self, run: str, measure: str) -> "pd.Series[float]":
        """Return the run's value minus the baseline's, for each query."""
        return self.scores[run][measure] - self.scores[self.baseline][measure]

    def differences_frame(self) -> "pd.DataFrame":
        """Return a row for each run but the baseline and each measure, with two columns for each test: p and Holm's."""
        import pandas as pd

        rows = []
        for one in self.differences:
            row = {
                "run": one.run,
                "baseline": one.baseline,
                "measure": one.measure,
                "effect": one.effect,
                "low": one.low,
                "high": one.high,
                "wins": one.wins,
                "ties": one.ties,
                "losses": one.losses,
            }
            for test in self.significance.tests:
                row |= {f"p_{test}": one.p[test], f"p_{test}_holm": one.p_holm[test]}
            rows.append(row)
        return pd.DataFrame(rows)


def compare(runs: Mapping[str, Run], qrels: Qrels, config: ComparisonConfig | None = None) -> Comparison:
    """Measure runs on the same qrels, and compare each with the baseline.

    Args:
        runs: Runs by name, in the order of the table.
        qrels: Qrels; all of their queries count.
        config: Measures, baseline and tests.

    Raises:
        QPeftError: There is no run, the baseline is not one of the runs, a measure is unknown, or no query of a run is
            judged.
    """
    config = config or ComparisonConfig()
    if not runs:
        raise QPeftError("there is no run to evaluate")
    baseline = config.baseline if config.baseline is not None else next(iter(runs))
    if baseline not in runs:
        raise QPeftError(
            f"there is no run {baseline!r} to be the baseline: the runs are {', '.join(runs)}."
            f"{did_you_mean(baseline, runs)}"
        )

    parse_measures(config.measures)
    scores = {}
    for name, run in runs.items():
        try:
            scores[name] = score_queries(run, qrels, config.measures)
        except QPeftError as mistake:
            raise QPeftError(f"{name}: {mistake}") from None
    differences = [
        paired_difference(
            (name, baseline), measure, scores[name][measure], scores[baseline][measure], config.significance
        )
        for name in runs
        if name != baseline
        for measure in scores[baseline].columns
    ]
    return Comparison(
        baseline=baseline,
        scores=scores,
        coverage={name: cover(run, qrels, config.judged_cutoff) for name, run in runs.items()},
        differences=holm_corrected(differences, config.significance),
        significance=config.significance,
    )
