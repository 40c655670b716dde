"""Paired significance tests between two runs over the same queries, and the size of the difference."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyserini_qpeft.errors import QPeftError

Test = Literal["t", "wilcoxon", "randomization"]

EQUAL = 1e-9
"""Two values of a measure that differ by less count as equal: the rest is rounding."""

FEWEST_QUERIES = 5
"""With fewer queries there is no t-test: nothing is known about the distribution of the differences."""


@dataclass(frozen=True, slots=True)
class SignificanceConfig:
    """How differences are tested.

    Attributes:
        tests: Paired tests, at least one. Each has its own column and its own Holm correction. The first one decides
            which values of a table are marked as significant.
        alpha: A corrected p-value below this level is significant.
        confidence: Confidence level of the bootstrap interval of the mean difference.
        resamples: Number of resamples of the bootstrap and of the randomisation test.
        seed: Seed of both.
    """

    tests: Sequence[Test] = field(
        default=("t",),
        metadata={"help": "paired tests: the t-test, Wilcoxon's signed-rank test, the randomisation test"},
    )
    alpha: float = field(default=0.05, metadata={"help": "significance level of the p-values, after Holm's correction"})
    confidence: float = field(default=0.95, metadata={"help": "confidence level of the bootstrap interval"})
    resamples: int = field(default=9_999, metadata={"help": "resamples of the bootstrap and of the randomisation test"})
    seed: int = field(default=0, metadata={"help": "seed of the bootstrap and of the randomisation test"})

    def __post_init__(self) -> None:
        if not self.tests:
            raise QPeftError(f"name a significance test: {', '.join(get_args(Test))}")
        for test in self.tests:
            if test not in get_args(Test):
                raise QPeftError(f"{test!r} is not a significance test; choose from {', '.join(get_args(Test))}")
        for name, level in (("alpha", self.alpha), ("confidence", self.confidence)):
            if not 0 < level < 1:
                raise QPeftError(f"{name} must lie between 0 and 1, and is {level}")
        if self.resamples < 1:
            raise QPeftError(f"resamples must be 1 or more, and is {self.resamples}")


@dataclass(frozen=True, slots=True)
class Difference:
    """A run minus the baseline on one measure, over the same queries.

    Attributes:
        run: Name of the run.
        baseline: Name of the baseline.
        measure: Name of the measure.
        effect: Mean difference per query.
        low: Lower end of the bootstrap interval of `effect`.
        high: Upper end of the interval.
        wins: Number of queries on which the run is better.
        ties: Number of queries on which both are equal.
        losses: Number of queries on which the baseline is better.
        p: p-value of each test.
        p_holm: p-value of each test, corrected for all comparisons of the table (Holm, 1979).
    """

    run: str
    baseline: str
    measure: str
    effect: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p: dict[str, float]
    p_holm: dict[str, float]


def paired_difference(
    names: tuple[str, str], measure: str, treatment: ArrayLike, baseline: ArrayLike, config: SignificanceConfig
) -> Difference:
    """Compute the difference between two runs on one measure, without Holm's correction.

    Args:
        names: The names of the run and of the baseline.
        measure: Name of the measure.
        treatment: float[queries], the run's values.
        baseline: float[queries], the baseline's values for the same queries.
        config: The tests and the interval.
    """
    treated, base = np.asarray(treatment, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    gains = treated - base
    low, high = bootstrap_interval(gains, config)
    wins, losses = int((gains > EQUAL).sum()), int((gains < -EQUAL).sum())
    return Difference(
        run=names[0],
        baseline=names[1],
        measure=measure,
        effect=float(gains.mean()),
        low=low,
        high=high,
        wins=wins,
        ties=len(gains) - wins - losses,
        losses=losses,
        p={test: paired_p_value(test, treated, base, config) for test in config.tests},
        p_holm={},
    )


def holm_corrected(differences: Sequence[Difference], config: SignificanceConfig) -> tuple[Difference, ...]:
    """Return the differences of a table with `p_holm`; the p-values of each test are one family."""
    families = {test: holm([one.p[test] for one in differences]) for test in config.tests}
    return tuple(
        replace(one, p_holm={test: family[place] for test, family in families.items()})
        for place, one in enumerate(differences)
    )


def paired_p_value(
    test: Test, treatment: ArrayLike, baseline: ArrayLike, config: SignificanceConfig | None = None
) -> float:
    """Compute the two-sided p-value of one paired test.

    Args:
        test: Name of the test.
        treatment: float[queries], the run's values.
        baseline: float[queries], the baseline's values for the same queries.
        config: Gives the resamples and the seed of the randomisation test.

    Returns:
        The p-value; 1 if no query differs. NaN if there is no t-test: of fewer than `FEWEST_QUERIES` queries, or if all
        differences are equal.
    """
    from scipy import stats

    config = config or SignificanceConfig()
    treated, base = np.asarray(treatment, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    differences = treated - base
    if not differences.any():
        return 1.0
    if test == "t":
        defined = len(differences) >= FEWEST_QUERIES and np.ptp(differences) > EQUAL
        return float(stats.ttest_rel(treated, base).pvalue) if defined else float("nan")
    if test == "wilcoxon":
        return float(stats.wilcoxon(treated, base).pvalue)
    # With one sample, scipy's permutation type "samples" flips signs of differences: it swaps the two runs' values.
    outcome = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=config.resamples,
        rng=np.random.default_rng(config.seed),
    )
    return float(outcome.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct a family of p-values by Holm's step-down method; NaN is not part of the family and stays NaN."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected.tolist()


def bootstrap_interval(differences: ArrayLike, config: SignificanceConfig) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of the mean of float[queries]."""
    from scipy import stats

    sample: NDArray[np.float64] = np.asarray(differences, dtype=np.float64)
    if len(sample) < 2 or (sample == sample[0]).all():
        return float(sample.mean()), float(sample.mean())
    interval = stats.bootstrap(
        (sample,),
        np.mean,
        confidence_level=config.confidence,
        n_resamples=config.resamples,
        method="percentile",
        rng=np.random.default_rng(config.seed),
        batch=1_000,
    ).confidence_interval
    return float(interval.low), float(interval.high)
