"""The likelihood of a document from those of its windows."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft import QPeftError
from pyserini_qpeft.windows.combining import combine
from pyserini_qpeft.windows.config import COMBINE, WindowConfig

LIKELIHOODS = st.lists(st.floats(-50, 0, width=32), min_size=1, max_size=12)
CONFIGS = st.builds(
    WindowConfig,
    combine=st.sampled_from(COMBINE),
    best=st.integers(1, 5),
    temperature=st.sampled_from([1e-3, 0.01, 0.1, 1.0, 30.0]),
)


def reference(likelihoods: list[float], config: WindowConfig) -> float:
    """Plain Python, from the equations in the module."""
    ordered = sorted(likelihoods, reverse=True)
    if config.combine == "max":
        return ordered[0]
    if config.combine == "first":
        return likelihoods[0]
    if config.combine == "mean":
        taken = ordered[: config.best]
        return math.fsum(taken) / len(taken)
    t = config.temperature
    return ordered[0] + t * math.log(math.fsum(math.exp((one - ordered[0]) / t) for one in ordered) / len(ordered))


@given(LIKELIHOODS, CONFIGS)
def test_likelihoods_are_combined_by_the_equations(likelihoods: list[float], config: WindowConfig) -> None:
    assert combine(likelihoods, config) == pytest.approx(reference(likelihoods, config), abs=1e-6)


@given(LIKELIHOODS, CONFIGS)
def test_a_document_is_between_the_worst_and_the_best_of_its_windows(
    likelihoods: list[float], config: WindowConfig
) -> None:
    found = np.float32(combine(likelihoods, config))
    assert min(likelihoods) - 1e-5 <= found <= max(likelihoods)


@given(LIKELIHOODS, CONFIGS, st.integers(0, 11), st.floats(0, 5))
def test_a_better_window_never_makes_a_document_worse(
    likelihoods: list[float], config: WindowConfig, place: int, gain: float
) -> None:
    better = list(likelihoods)
    better[place % len(better)] += gain
    assert combine(better, config) >= combine(likelihoods, config) - 1e-9


@given(LIKELIHOODS, CONFIGS, st.randoms())
def test_only_the_first_window_depends_on_the_order(
    likelihoods: list[float], config: WindowConfig, random: Any
) -> None:
    shuffled = random.sample(likelihoods, len(likelihoods))
    if config.combine != "first":
        assert combine(shuffled, config) == pytest.approx(combine(likelihoods, config), abs=1e-9)


@given(st.floats(-50, 0, width=32), CONFIGS)
def test_a_document_of_one_window_has_its_likelihood(likelihood: float, config: WindowConfig) -> None:
    assert combine([likelihood], config) == likelihood


def test_the_smooth_maximum_goes_from_the_mean_to_the_best() -> None:
    likelihoods = [-1.0, -2.0, -4.0]
    found = [combine(likelihoods, WindowConfig("smooth", temperature=t)) for t in (1e-4, 0.1, 1.0, 1e4)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(-1.0, abs=1e-3)
    assert found[-1] == pytest.approx(-7 / 3, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"combine": "best"}, "one of max, mean, first, smooth, not 'best'"),
        ({"size": 3}, "at least 8 tokens, not 3"),
        ({"stride": 0}, "stride of windows must be at least 1"),
        ({"best": 0}, "best of windows must be at least 1"),
        ({"most": 0}, "most of windows must be at least 1"),
        ({"temperature": 0.0}, "above 0"),
        ({"temperature": math.nan}, "above 0"),
        ({"temperature": math.inf}, "finite"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_sentence(settings: Any, sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        WindowConfig(**settings)
