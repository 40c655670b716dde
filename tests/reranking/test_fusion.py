import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import fusion_weight
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse

METHODS = ("zscore", "minmax", "linear", "rrf")
SCORES = st.floats(-1e8, 1e8, width=32)
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=30)


RANX = """
import json, sys
import ranx
runs = [ranx.Run({"q": scores}) for scores in json.load(sys.stdin)]
minmax = ranx.fuse(runs=runs, norm="min-max", method="sum")
rrf = ranx.fuse(runs=runs, norm=None, method="rrf", params={"k": 60})
json.dump({"minmax": dict(minmax["q"]), "rrf": dict(rrf["q"])}, sys.stdout)
"""


@pytest.fixture(scope="module")
def two_runs() -> tuple[dict[str, float], dict[str, float]]:
    """Scores of 40 documents by two rankers, each without ties."""
    rng = np.random.default_rng(3)
    docids = [f"d{i}" for i in range(40)]
    bm25 = dict(zip(docids, rng.permutation(40) * 0.37 + 1, strict=True))
    likelihood = dict(zip(docids, rng.permutation(40) * -0.11 - 0.5, strict=True))
    return bm25, likelihood


def test_minmax_and_rrf_at_equal_weights_equal_those_of_ranx(two_runs):
    if importlib.util.find_spec("ranx") is None:
        pytest.skip("needs ranx, an independent implementation of fusion")
    # Compiling its loops takes two minutes, and numba decides on that when it is imported.
    ranx = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps(two_runs),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        check=True,
        text=True,
    )

    for method, theirs in json.loads(ranx.stdout).items():
        ours = fuse(*(list(scores.values()) for scores in two_runs), FusionConfig(method, weight=0.5))
        assert dict(zip(two_runs[0], (2 * ours).tolist(), strict=True)) == pytest.approx(theirs, abs=1e-12)


def test_equal_scores_share_the_best_of_their_ranks():
    fused = fuse([3.0, 2.0, 2.0, 1.0], [0.0, -1.0, -2.0, -3.0], FusionConfig("rrf", weight=0.0, rrf_k=60))

    assert fused.tolist() == [1 / 61, 1 / 62, 1 / 62, 1 / 64]


def test_zscore_equals_scipy():
    from scipy.stats import zscore

    first, second = [12.1, 9.4, 9.4, 3.0], [-3.2, -1.1, -2.5, -4.0]

    fused = fuse(first, second, FusionConfig("zscore", weight=0.35))

    assert fused == pytest.approx(0.65 * zscore(first) + 0.35 * zscore(second), abs=1e-12)


def test_linear_leaves_a_list_of_close_first_stage_scores_to_the_likelihood():
    likelihoods = [-3.0, -1.0]

    assert np.argmax(fuse([8.1, 8.0], likelihoods, FusionConfig("linear", 0.35))) == 1
    assert np.argmax(fuse([18.0, 8.0], likelihoods, FusionConfig("linear", 0.35))) == 0
    assert fuse([8.0], [-1.0], FusionConfig("linear", weight=0.25)).tolist() == [5.75]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("weight", "alone"), [(0.0, 0), (1.0, 1)])
def test_the_ends_of_the_weight_are_each_score_alone(two_runs, method, weight, alone):
    lists = [list(scores.values()) for scores in two_runs]

    fused = fuse(lists[0], lists[1], FusionConfig(method, weight=weight))

    assert np.argsort(fused).tolist() == np.argsort(lists[alone]).tolist()


@pytest.mark.parametrize("method", METHODS)
@given(pairs=PAIRS, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_hits_does_not_matter(method, pairs, seed):
    order = list(range(len(pairs)))
    seed.shuffle(order)
    config = FusionConfig(method, 0.35)

    fused = fuse([a for a, _ in pairs], [b for _, b in pairs], config)
    shuffled = fuse([pairs[i][0] for i in order], [pairs[i][1] for i in order], config)

    assert shuffled.tolist() == fused[order].tolist()
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("method", METHODS)
@given(first=st.lists(SCORES, min_size=1, max_size=30), value=SCORES)
def test_a_list_of_equal_likelihoods_leaves_the_first_stage_in_charge(method, first, value):
    fused = fuse(first, [value] * len(first), FusionConfig(method, weight=0.5))

    better = [(i, j) for i in range(len(first)) for j in range(len(first)) if first[i] > first[j]]
    assert all(fused[i] >= fused[j] for i, j in better)
    assert all(fused[i] == fused[j] for i in range(len(first)) for j in range(len(first)) if first[i] == first[j])


@pytest.mark.parametrize("method", ["zscore", "minmax"])
def test_constant_lists_count_for_nothing(method):
    # 0.1 + 0.1 + 0.1 is not 0.3: a mean taken naively would leave a rest, and dividing by it would blow it up.
    fused = fuse([0.1, 0.1, 0.1], [-0.7, -0.7, -0.7], FusionConfig(method, 0.35))

    assert fused.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_and_largest_differences_stay_finite(method):
    fused = fuse([5e-324, 0.0, 0.0], [1e300, -1e300, 0.0], FusionConfig(method, 0.35))

    assert np.isfinite(fused).all()
    assert fused[0] == max(fused)


@pytest.mark.parametrize("method", METHODS)
def test_a_single_hit_and_no_hit_at_all(method):
    assert fuse([3.0], [-1.0], FusionConfig(method, 0.35)).shape == (1,)
    assert fuse([], [], FusionConfig(method, 0.35)).shape == (0,)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_never_fused(bad):
    with pytest.raises(QPeftError, match="likelihood of hit 2 is"):
        fuse([1.0, 2.0], [-1.0, bad], FusionConfig(weight=0.35))
    with pytest.raises(QPeftError, match="first-stage score of hit 1 is"):
        fuse([bad, 2.0], [-1.0, -2.0], FusionConfig(weight=0.35))


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 first-stage scores but 1 likelihoods"):
        fuse([1.0, 2.0], [-1.0], FusionConfig())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 1.01}, "between 0 and 1, not 1.01"),
        ({"weight": -0.1}, "between 0 and 1"),
        ({"weight": float("nan")}, "between 0 and 1"),
        ({"method": "borda"}, "unknown fusion method 'borda': choose one of zscore, minmax, linear, rrf"),
        ({"rrf_k": -1}, "rrf_k must not be negative"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(QPeftError, match=message):
        FusionConfig(**settings)


def test_a_weight_that_is_left_open_is_the_one_that_comes_with_the_model():
    open_weight = FusionConfig("rrf", rrf_k=10)

    assert open_weight.for_model(None) == FusionConfig("rrf", fusion_weight(None), 10)
    assert open_weight.for_model("a model of nobody").weight == fusion_weight("a model of nobody")
    assert FusionConfig(weight=0.0).for_model(None).weight == 0.0
    with pytest.raises(QPeftError, match="the fusion weight is not set"):
        fuse([1.0], [1.0], open_weight)
