"""What an unread hit needs is what the ranking rule says, and the rule stops where it should."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import refusal

from pyserini_qpeft.adaptive.learning import StoppingConfig
from pyserini_qpeft.adaptive.rule import StoppingRule, change
from pyserini_qpeft.adaptive.rule_file import read_rule
from pyserini_qpeft.adaptive.unread import look_ahead
from pyserini_qpeft.data.number_files import write_numbers
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import models
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse

RULE = StoppingRule(0.5, -1.5, -0.2, 0.1, 0.05, k=3, block=2, loss=0.1, queries=40)
METHODS = st.sampled_from(["zscore", "minmax", "linear"])
SCORES = st.lists(st.integers(-2000, 0).map(lambda cents: cents / 100), min_size=4, max_size=12, unique=True)


@given(SCORES, METHODS, st.floats(0.05, 1), st.integers(2, 3), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_hit_with_a_little_more_than_it_needs_passes_the_hit_of_that_rank(likelihoods, method, weight, read, draw):
    """The reference scores the unread hit with the normalisation of the hits that were read."""
    first = sorted((place + draw.uniform(0, 0.9) for place in range(len(likelihoods))), reverse=True)
    fusion = FusionConfig(method, weight)
    found = look_ahead(likelihoods[:read], first, fusion, 2)
    seen = np.array(likelihoods[:read])
    fused = np.sort(fuse(first[:read], likelihoods[:read], fusion))[::-1]
    for unread in range(len(likelihoods) - read):
        for rank in range(2):
            needed = found.required[unread, rank]
            if abs(needed) == 10:
                continue
            likelihood = needed * seen.std() + seen.mean()
            assert _score(first[read + unread], likelihood, first[:read], seen, fusion) == pytest.approx(
                fused[rank], abs=1e-6
            )


def _score(first: float, likelihood: float, firsts: list[float], seen: np.ndarray, fusion: FusionConfig) -> float:
    def normal(value: float, among: np.ndarray) -> float:
        if fusion.method == "linear":
            return value
        if fusion.method == "zscore":
            return (value - among.mean()) / among.std()
        return (value - among.min()) / (among.max() - among.min())

    return (1 - fusion.weight) * normal(first, np.array(firsts)) + fusion.weight * normal(likelihood, seen)


def test_without_fusion_or_without_usable_first_stage_scores_the_likelihood_decides():
    likelihoods, mean, deviation = [-1.0, -3.0, -2.0], -2.0, np.std([-1.0, -3.0, -2.0])
    expected = [(-1.0 - mean) / deviation, 0.0, (-3.0 - mean) / deviation]
    for fusion, first in ((None, [5, 4, 3, 2, 1.0]), (FusionConfig(weight=0.5), [1.0] * 5)):
        assert look_ahead(likelihoods, first, fusion, 3).required[0] == pytest.approx(expected)
    assert look_ahead(likelihoods, [1.0] * 5, None, 3).agreement == 0


def test_a_weight_of_0_leaves_nothing_to_read():
    assert RULE.expected_change([-1, -2, -3], [9, 8, 7, 6, 5.0], FusionConfig(weight=0)) < 1e-3


def test_rrf_is_refused():
    with pytest.raises(QPeftError, match="rrf"):
        look_ahead([-1, -2], [3, 2, 1.0], FusionConfig("rrf", 0.5), 2)


@given(st.lists(st.floats(-9, 0), min_size=1, max_size=30), st.floats(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_higher_threshold_never_reads_more_and_blocks_are_kept(likelihoods, threshold):
    first = [30.0 - place for place in range(len(likelihoods))]
    depths = [
        StoppingRule(0.5, -1.5, -0.2, 0.1, limit, k=3, block=4).read_depth(likelihoods, first, FusionConfig(weight=0.5))
        for limit in (-1.0, threshold, 1e9)
    ]
    assert depths[0] == len(likelihoods) >= depths[1] >= depths[2] == min(4, len(likelihoods))
    assert depths[1] == len(likelihoods) or depths[1] % 4 == 0


def test_the_expected_change_falls_when_unread_hits_need_more():
    first = [9, 8, 7, 6, 5.0]
    clear, close = ([-1, -1.1, -1.2, -6.0], [-3, -3.1, -3.2, -3.3])
    fusion = FusionConfig(weight=0.9)
    assert RULE.expected_change(clear, first, fusion) < RULE.expected_change(close, first, fusion)
    assert RULE.expected_change(clear, first[:4], fusion) == 0


def test_the_change_counts_new_hits_of_the_first_k_by_their_final_rank():
    assert change([1, 2, 3, 4], [2, 1, 3, 4], 2) == 0
    assert change([1, 2, 3], [3, 1, 2], 2) == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert change([1, 2], [3, 4], 2) == 1
    assert change([], [], 5) == 0


def test_a_rule_comes_back_as_it_was_written(tmp_path: Path):
    write_numbers(tmp_path / "rule.json", RULE)
    assert read_rule(tmp_path / "rule.json") == RULE


def test_the_rules_that_are_shipped_can_be_read_and_accept_the_same_loss():
    bare = [read_rule(record.stopping) for record in models().values() if record.stopping is not None]
    files = [Path(folder) / "stopping.json" for record in models().values() for folder in record.adapters.values()]
    beside = [read_rule(file) for file in files if file.is_file()]
    assert (len(bare), len(beside)) == (1, 2)
    assert all(rule.queries > 100 and rule.loss == StoppingConfig().stopping_loss for rule in [*bare, *beside])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "r.json:1: broken JSON"),
        ("{}", "expected a JSON object with intercept, required, read, agreement and threshold"),
        ('{"intercept":0,"required":-1,"read":0,"agreement":0,"threshold":"x"}', "threshold must be a number"),
        ('{"intercept":0,"required":-1,"read":0,"agreement":0,"threshold":0,"k":2.5}', "k must be a whole number"),
        ('{"intercept":0,"required":1,"read":0,"agreement":0,"threshold":0}', "required must be below 0"),
        ('{"intercept":0,"required":-1,"read":0,"agreement":0,"threshold":0,"k":0}', "k and block must be 1 or more"),
        ('{"intercept":0,"required":-1,"read":0,"agreement":0,"threshold":0,"depth":2}', "unknown setting 'depth'"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, text: str, message: str):
    assert message in refusal(read_rule, tmp_path / "r.json", text)
