"""Each loss against its formula written out query by query, and as it should behave."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.losses import LOSSES
from pyserini_qpeft.training.losses.compute import learns_from_negatives, learns_without_negatives, query_losses
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists

Query = list[tuple[float, bool, float]]
"""Score, whether it is a positive, and the teacher's score of each candidate."""

SCORES = st.floats(-12, 0, width=32)
CANDIDATES = st.lists(
    st.tuples(SCORES, st.booleans(), st.one_of(st.just(math.nan), st.floats(-5, 30))), min_size=0, max_size=5
)
QUERIES = st.lists(
    st.tuples(SCORES, st.floats(-5, 30), CANDIDATES).map(lambda q: [(q[0], True, q[1]), *q[2]]), min_size=1, max_size=4
)


def as_lists(queries: list[Query]) -> ScoredLists:
    width = max(map(len, queries)) + 1
    scores = torch.zeros(len(queries), width)
    positive, valid = torch.zeros(2, len(queries), width, dtype=torch.bool)
    teacher = torch.full((len(queries), width), torch.nan)
    for row, query in enumerate(queries):
        for column, (score, is_positive, taught) in enumerate(query):
            scores[row, column], teacher[row, column] = score, taught
            positive[row, column], valid[row, column] = is_positive, True
    return ScoredLists(scores.requires_grad_(), positive, valid, teacher)


def written_out(name: str, query: Query, config: LossConfig) -> float:
    positives = [(score, taught) for score, is_positive, taught in query if is_positive]
    negatives = [(score, taught) for score, is_positive, taught in query if not is_positive]
    pairs = [(p, n) for p in positives for n in negatives]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    point = mean([-score for score, _ in positives])
    pair = mean([max(0.0, -p[0] + n[0] + config.margin) for p, n in pairs])
    if name == "listwise":
        t = config.temperature
        return mean(
            [
                -math.log(math.exp(s / t) / (math.exp(s / t) + sum(math.exp(n / t) for n, _ in negatives)))
                for s, _ in positives
            ]
        )
    if name == "margin-mse":
        known = [(p, n) for p, n in pairs if not math.isnan(p[1] + n[1])]
        return mean([(p[0] - n[0] - config.teacher_scale * (p[1] - n[1])) ** 2 for p, n in known])
    return {"pointwise": point, "pairwise": pair, "both": point + pair}[name]


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=40, deadline=None)
@given(queries=QUERIES, margin=st.floats(0, 2))
def test_a_loss_equals_its_formula_and_has_a_finite_gradient(name: Any, queries: list[Query], margin: float) -> None:
    config = LossConfig(loss=name, margin=margin, temperature=0.7)
    lists = as_lists(queries)
    values = query_losses(lists, config)
    expected = [written_out(name, query, config) for query in queries]
    torch.testing.assert_close(values, torch.tensor(expected), rtol=1e-4, atol=1e-4)
    (gradient,) = torch.autograd.grad(values.mean(), lists.scores, allow_unused=True)
    assert gradient.isfinite().all()
    assert (gradient[~lists.valid] == 0).all()


@pytest.mark.parametrize("name", ["both", "pairwise", "listwise"])
def test_a_better_positive_never_costs_more(name: Any) -> None:
    config = LossConfig(loss=name, margin=0.5)
    values = [
        query_losses(as_lists([[(score, True, 0.0), (-2.0, False, 0.0), (-3.0, False, 0.0)]]), config).item()
        for score in (-4.0, -2.5, -2.0, -1.0)
    ]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1


def test_losses_that_only_compare_learn_nothing_without_negatives() -> None:
    assert {name for name in LOSSES if learns_without_negatives(LossConfig(loss=name))} == {"both", "pointwise"}
    assert {name for name in LOSSES if not learns_from_negatives(LossConfig(loss=name))} == {"pointwise"}


def test_a_loss_that_does_not_exist_is_refused_with_the_ones_that_do() -> None:
    with pytest.raises(QPeftError, match="there is no loss 'magic': use one of both, pointwise"):
        LossConfig(loss="magic")


@pytest.mark.parametrize("setting", [{"margin": -1.0}, {"temperature": 0.0}, {"teacher_scale": 0.0}])
def test_numbers_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(QPeftError, match="margin must be at least 0"):
        LossConfig(**setting)
