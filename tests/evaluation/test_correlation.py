"""Correlation against scipy and against every permutation, and where there is none to speak of."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.correlation import correlate
from pyserini_qpeft.evaluation.significance import SignificanceConfig

FIRST_STAGE = [0.32, 0.48, 0.69, 0.72, 0.55, 0.61]
GAIN = [0.09, 0.11, 0.02, -0.01, 0.06, 0.07]


def test_coefficients_and_the_p_of_r_are_scipys():
    found = correlate(FIRST_STAGE, GAIN)
    pearson = stats.pearsonr(FIRST_STAGE, GAIN)
    assert (found.pearson, found.pearson_p) == (pearson.statistic, pearson.pvalue)
    assert found.spearman == pytest.approx(stats.spearmanr(FIRST_STAGE, GAIN).statistic)


def test_the_p_of_rho_counts_the_permutations_that_are_as_extreme():
    found = correlate(FIRST_STAGE, GAIN)
    every = [stats.spearmanr(FIRST_STAGE, list(order)).statistic for order in permutations(GAIN)]
    as_extreme = np.mean([abs(one) >= abs(found.spearman) - 1e-12 for one in every])
    assert found.spearman_p == pytest.approx(as_extreme)


def test_three_columns_in_the_same_order_prove_nothing():
    found = correlate([1, 2, 3], [2, 4, 9])
    assert found.spearman == pytest.approx(1)
    assert found.spearman_p == pytest.approx(2 / 6)


def test_many_columns_are_permuted_at_random_and_the_same_each_time():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=30), draw.normal(size=30)
    config = SignificanceConfig(resamples=2_000, seed=3)
    assert correlate(x, y, config) == correlate(x, y, config)
    assert correlate(x, y, config).spearman_p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.03)


def test_a_value_that_never_changes_goes_with_nothing():
    found = correlate([0.1, 0.2, 0.3], [0.0, 0.0, 0.0])
    assert all(math.isnan(value) for value in (found.pearson, found.pearson_p, found.spearman, found.spearman_p))


def test_two_columns_are_too_few():
    with pytest.raises(QPeftError, match="needs at least three pairs of values, and there are 2"):
        correlate([1, 2], [2, 1])
