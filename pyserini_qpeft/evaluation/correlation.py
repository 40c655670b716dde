"""Correlation of the gain from reranking with the quality of the first stage, over a few collections."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.significance import SignificanceConfig


@dataclass(frozen=True, slots=True)
class Correlation:
    """Correlation coefficients of two variables; all four fields are NaN if a variable is constant.

    Attributes:
        pearson: Pearson's r, -1 to 1.
        pearson_p: Its two-sided p-value, which assumes normal values.
        spearman: Spearman's rho, -1 to 1.
        spearman_p: Its two-sided p-value from permutations of the values; exact for up to seven values.
    """

    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float


def correlate(x: ArrayLike, y: ArrayLike, config: SignificanceConfig | None = None) -> Correlation:
    """Compute Pearson's and Spearman's correlation.

    Args:
        x: float[n], n at least 3.
        y: float[n].
        config: Gives the number and the seed of random permutations, which are used if there are too many to try all.

    Raises:
        QPeftError: There are fewer than three pairs.
    """
    from scipy import stats

    config = config or SignificanceConfig()
    first: NDArray[np.float64] = np.asarray(x, dtype=np.float64)
    second: NDArray[np.float64] = np.asarray(y, dtype=np.float64)
    if len(first) < 3:
        raise QPeftError(f"a correlation needs at least three pairs of values, and there are {len(first)}")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return Correlation(*[float("nan")] * 4)
    pearson = stats.pearsonr(first, second)
    # The p-value of spearmanr is an approximation for hundreds of values; it is 0 for any three in the same order.
    permutations = stats.PermutationMethod(n_resamples=config.resamples, rng=np.random.default_rng(config.seed))
    spearman = stats.pearsonr(stats.rankdata(first), stats.rankdata(second), method=permutations)
    return Correlation(
        float(pearson.statistic), float(pearson.pvalue), float(spearman.statistic), float(spearman.pvalue)
    )
