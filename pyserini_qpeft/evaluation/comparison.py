"""Several runs on the same judgements: their measures, and each one's difference from the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.coverage import Coverage, cover
from pyserini_qpeft.evaluation.latency import Latency
from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES, parse_measures, score_queries
from pyserini_qpeft.evaluation.significance import Difference, SignificanceConfig, holm_corrected, paired_difference

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ComparisonConfig:
    """What is compared, and how.

    Attributes:
        measures: names of measures, see `measures.parse_measures`.
        baseline: name of the run that the others are held against; None is the first.
        significance: the tests.
        judged_cutoff: hits of each list looked at for the unjudged share.
    """

    measures: Sequence[str] = field(
        default=DEFAULT_MEASURES, metadata={"help": "measures of ir-measures, such as nDCG@10, AP(rel=2), RR@10"}
    )
    baseline: str | None = field(
        default=None, metadata={"help": "name of the run that the others are held against; the first when not given"}
    )
    significance: SignificanceConfig = field(default_factory=SignificanceConfig)
    judged_cutoff: int = field(
        default=10, metadata={"help": "hits of each list looked at for the share that nobody judged"}
    )

    def __post_init__(self) -> None:
        if self.judged_cutoff < 1:
            raise QPeftError(f"judged_cutoff must be 1 or more, and is {self.judged_cutoff}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs measured on the same queries.

    Attributes:
        baseline: name of the run that the others are held against.
        scores: for each run, float64 frame of qids by measures; all have the same rows and columns.
        coverage: for each run, its depth and its unjudged share.
        differences: every other run against the baseline, on each measure.
        significance: how they were tested.
        answers: for each run, means of R@k and H@k by `answers.summarise_answers`; empty where none are known.
        latency: for the runs that say it, the time per query.
    """

    baseline: str
    scores: dict[str, "pd.DataFrame"]
    coverage: dict[str, Coverage]
    differences: tuple[Difference, ...]
    significance: SignificanceConfig
    answers: dict[str, "pd.DataFrame"] = field(default_factory=dict)
    latency: dict[str, Latency] = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        """Names of the measures."""
        return list(self.scores[self.baseline].columns)

    def means(self) -> "pd.DataFrame":
        """Float64 frame, runs by measures: the mean over the judged queries."""
        import pandas as pd

        return pd.DataFrame({run: frame.mean() for run, frame in self.scores.items()}).T.rename_axis("run")

    def gains(self, run: str, measure: str) -> "pd.Series[float]":
        """The run minus the baseline on each query."""
        return self.scores[run][measure] - self.scores[self.baseline][measure]

    def differences_frame(self) -> "pd.DataFrame":
        """One row for each run other than the baseline and each measure; one column of p for each test."""
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

    def long_frame(self) -> "pd.DataFrame":
        """One row for each run, query and measure: `run, qid, measure, value`."""
        import pandas as pd

        frames = [
            frame.reset_index().melt(id_vars="qid", var_name="measure").assign(run=run)
            for run, frame in self.scores.items()
        ]
        return pd.concat(frames, ignore_index=True)[["run", "qid", "measure", "value"]]


def compare(runs: Mapping[str, Run], qrels: Qrels, config: ComparisonConfig | None = None) -> Comparison:
    """Measure runs on the same qrels and hold each against the baseline.

    Args:
        runs: runs by name, in the order of the table.
        qrels: judgements; every one of their queries counts.
        config: measures, baseline and tests.

    Raises:
        QPeftError: no run, a baseline that is none of them, an unknown measure, a run without a judged query.
    """
    config = config or ComparisonConfig()
    if not runs:
        raise QPeftError("there is no run to evaluate")
    baseline = config.baseline if config.baseline is not None else next(iter(runs))
    if baseline not in runs:
        raise QPeftError(f"the baseline {baseline!r} is none of the runs; they are {', '.join(runs)}")

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
