import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.reranking.tail import BELOW_DEPTH, score_tail

SIZES = (1e-30, 1e-8, 1.0, 1e8, 1e30)
HEADS = st.builds(
    lambda scores, size: [score * size for score in scores],
    st.lists(st.floats(-10, 10), min_size=1, max_size=20),
    st.sampled_from(SIZES),
)


@given(head=HEADS, count=st.integers(0, 1000))
def test_the_tail_is_below_the_head_and_descends_even_in_single_precision(head, count):
    tail = score_tail(head, count)

    for precision in (np.float64, np.float32):
        scores = np.array([min(head), *tail], dtype=precision)
        assert (np.diff(scores) < 0).all()


@given(head=HEADS, count=st.integers(1, 50))
def test_the_order_of_the_head_does_not_matter(head, count):
    assert score_tail(head[::-1], count) == score_tail(head, count)


@pytest.mark.parametrize("size", SIZES)
def test_a_long_tail_below_a_score_of_any_size(size):
    scores = np.array([-size, *score_tail([size, -size], 100_000)], dtype=np.float32)

    assert (np.diff(scores) < 0).all()


def test_no_tail_and_no_head():
    assert score_tail([-1.0, -2.0], 0) == []
    assert score_tail([], 2) == sorted(score_tail([], 2), reverse=True)


def test_a_tail_is_kept_or_dropped():
    assert BELOW_DEPTH == ("keep", "drop")


@pytest.mark.parametrize("size", SIZES)
def test_trec_eval_never_lifts_the_tail_above_the_head(size):
    """BM25's scores are positive and likelihoods negative: with its own scores the tail would come first."""
    import pytrec_eval

    # trec_eval breaks ties by docid, highest first: these names would put a tied tail first, in reverse.
    docids = [f"d{i:03}" for i in range(200)]
    head = [-size * (1 + i / 1000) for i in range(100)]
    run = dict(zip(docids, head + score_tail(head, 100), strict=True))

    for place in (0, 99, 100, 101, 199):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {docids[place]: 1}}, {"recip_rank"})
        assert evaluator.evaluate({"q": run})["q"]["recip_rank"] == pytest.approx(1 / (place + 1))
