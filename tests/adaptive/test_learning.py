"""A rule learnt on some queries keeps its promise on others of the same kind."""

import numpy as np
import pytest

from pyserini_qpeft.adaptive.learning import ReadList, StoppingConfig, learn_rule
from pyserini_qpeft.adaptive.rule import change
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig

FUSION = FusionConfig(weight=0.6)


def queries(count: int, seed: int) -> list[ReadList]:
    """Likelihoods that follow the first stage's scores more or less closely."""
    draw = np.random.default_rng(seed)
    lists = []
    for _ in range(count):
        first = np.sort(draw.gamma(4, 2, 40))[::-1]
        noise = draw.uniform(0.2, 2)
        likelihoods = -5 + draw.uniform(0.1, 1) * (first - first.mean()) / first.std() + draw.normal(0, noise, 40)
        lists.append(ReadList(first.tolist(), likelihoods.tolist()))
    return lists


@pytest.mark.parametrize("loss", [0.05, 0.15])
def test_the_mean_change_on_other_queries_is_at_most_the_loss_and_hits_stay_unread(loss):
    rule = learn_rule(queries(150, 0), FUSION, StoppingConfig(stopping_loss=loss))
    changes, read = [], 0
    for one in queries(300, 1):
        depth = rule.read_depth(one.likelihoods, one.first_stage, FUSION)
        changes.append(change(one.order(depth, FUSION), one.order(40, FUSION), 10))
        read += depth
    assert np.mean(changes) < loss + 2 * np.std(changes) / np.sqrt(len(changes))
    assert read < 0.95 * 40 * 300
    assert (rule.queries, rule.loss, rule.k, rule.block) == (150, loss, 10, 5)
    assert rule.required < 0


def test_a_larger_loss_reads_less():
    lists = queries(80, 2)
    strict, loose = (learn_rule(lists, FUSION, StoppingConfig(stopping_loss=loss)) for loss in (0.03, 0.3))
    assert strict.threshold < loose.threshold


def test_too_few_queries_or_too_strict_a_loss_is_refused():
    with pytest.raises(QPeftError, match="20 dev queries or more"):
        learn_rule(queries(19, 0), FUSION)
    short = [ReadList(one.first_stage[:10], one.likelihoods[:10]) for one in queries(30, 0)]
    with pytest.raises(QPeftError, match="more than 10 hits"):
        learn_rule(short, FUSION)
    with pytest.raises(QPeftError, match="take more queries or accept a larger loss"):
        learn_rule(queries(20, 0), FUSION, StoppingConfig(stopping_loss=0.01))
    for wrong in ({"stopping_loss": 0}, {"stopping_k": 0}, {"stopping_block": 0}):
        with pytest.raises(QPeftError):
            StoppingConfig(**wrong)
