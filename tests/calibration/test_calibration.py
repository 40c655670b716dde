"""Probabilities rise with the likelihood, lie between 0 and 1, and hold on hits that follow the curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit

from pyserini_qpeft.calibration.calibration import Calibration, fit_calibration
from pyserini_qpeft.errors import QPeftError


@given(
    st.lists(st.floats(-50, 0), min_size=2, max_size=20, unique=True),
    st.floats(0.01, 20),
    st.floats(-30, 30),
)
def test_probabilities_lie_between_0_and_1_and_never_fall_as_the_likelihood_rises(likelihoods, slope, intercept):
    curve = Calibration(slope, intercept)
    probabilities = curve.probabilities(sorted(likelihoods), -2.0)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (np.diff(probabilities) >= 0).all()
    assert probabilities == pytest.approx(expit(intercept + slope * (np.array(sorted(likelihoods)) + 2)))
    assert curve.probability(likelihoods[0], -2.0) == curve.probabilities([likelihoods[0]], [-2.0])[0]


def test_very_small_and_very_large_likelihoods_give_no_warning():
    with np.errstate(all="raise", under="ignore"):
        assert Calibration(10, 0).probabilities([-1e4, 1e4], 0).tolist() == [0.0, 1.0]


def test_the_curve_that_made_the_hits_is_found_again():
    draw = np.random.default_rng(0)
    queries = []
    for _ in range(200):
        gains = draw.normal(-3, 1, 50)
        queries.append((gains, draw.random(50) < expit(4 + 2.5 * gains)))
    fitted = fit_calibration(queries)
    assert fitted.slope == pytest.approx(2.5, rel=0.05)
    assert fitted.intercept == pytest.approx(4, rel=0.05)
    assert (fitted.queries, fitted.pairs) == (200, 10_000)
    assert fitted.relevant == sum(int(relevant.sum()) for _, relevant in queries)


def test_no_other_slope_fits_better():
    draw = np.random.default_rng(1)
    gains = draw.normal(-30, 0.2, 400)  # far from 0 and close together: the fit must not depend on the scale
    relevant = draw.random(400) < expit(5 * (gains + 30))
    fitted = fit_calibration([(gains, relevant)])
    targets = np.where(relevant, (relevant.sum() + 1) / (relevant.sum() + 2), 1 / ((~relevant).sum() + 2))

    def loss(slope: float, centre: float = fitted.intercept + fitted.slope * -30) -> float:
        probabilities = expit(centre + slope * (gains + 30))
        return float(-(targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities)).sum())

    assert minimize_scalar(loss, bounds=(0.1, 20), method="bounded").x == pytest.approx(fitted.slope, rel=1e-3)


def test_a_perfect_separation_gives_a_finite_curve():
    fitted = fit_calibration([([-5.0, -4.0, -1.0, -0.5], [False, False, True, True])])
    assert 0 < fitted.slope < 100
    assert fitted.probability(-5, 0) < 0.3 < 0.7 < fitted.probability(-7.5, -7)


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([], "0 and 0"),
        ([([-1.0, -2.0], [False, False])], "0 and 2"),
        ([([-1.0], [True])], "1 and 0"),
        ([([-1.0, -2.0, -3.0], [False, False, True])], "not higher"),
        ([([-1.0, -1.0], [False, True])], "not higher"),
    ],
)
def test_hits_from_which_nothing_can_be_learnt_are_refused(queries, message):
    with pytest.raises(QPeftError, match=message):
        fit_calibration(queries)


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_a_curve_that_falls_or_is_not_finite_is_refused(wrong):
    with pytest.raises(QPeftError):
        Calibration(*wrong)
