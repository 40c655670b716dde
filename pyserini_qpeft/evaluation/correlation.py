"""Does what reranking gains go with how good the first stage was? Correlation over a few collections."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.significance import SignificanceConfig


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two values of the same things go together; all four are NaN where one of the values never changes.

    Attributes:
        pearson: r, -1 to 1: along a line.
        pearson_p: its two-sided p-value, exact for normal values.
        spearman: rho, -1 to 1: in the same order.
        spearman_p: its two-sided p-value over the permutations of the values; exact up to seven of them.
    """

    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float


def correlate(x: ArrayLike, y: ArrayLike, config: SignificanceConfig | None = None) -> Correlation:
    """Pearson's and Spearman's correlation.

    Args:
        x: float[n], n from 3.
        y: float[n].
        config: gives the resamples and the seed of the permutations, where there are too many to try all.

    Raises:
        QPeftError: fewer than three pairs.
    """
    from scipy import stats

    config = config or SignificanceConfig()
    first: NDArray[np.float64] = np.asarray(x, dtype=np.float64)
    second: NDArray[np.float64] = np.asarray(y, dtype=np.float64)
    if len(first) < 3:
        raise QPeftError(f"a correlation needs three pairs of values or more, and there are {len(first)}")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return Correlation(*[float("nan")] * 4)
    pearson = stats.pearsonr(first, second)
    # spearmanr's own p-value is 0 for any three values in the same order, and holds for hundreds of them only.
    permutations = stats.PermutationMethod(n_resamples=config.resamples, rng=np.random.default_rng(config.seed))
    spearman = stats.pearsonr(stats.rankdata(first), stats.rankdata(second), method=permutations)
    return Correlation(
        float(pearson.statistic), float(pearson.pvalue), float(spearman.statistic), float(spearman.pvalue)
    )
