"""Chains that are computed from scores rank as the real cascade, and the efficient front is one."""

from typing import Any

import pytest
from drawn import DrawnReranker
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cascades.chains import Chain, Point, Stage, chains, front, rank, with_margin
from benchmarks.cascades.check import CHAIN, with_likelihoods
from benchmarks.cascades.plot import quarter
from benchmarks.cascades.score import LARGE, SMALL
from pyserini_qpeft import CascadeReranker

HITS = [(f"d{place}", f"text {place}", 30.0 - place) for place in range(30)]


@pytest.mark.parametrize(
    "second", [Stage(LARGE, 10, 0.75), Stage(LARGE, 20, 0.75), Stage(LARGE, 1, 0.75), with_margin(1.0)], ids=str
)
def test_a_chain_ranks_as_the_real_cascade(second: Stage) -> None:
    chain: Chain = (Stage(SMALL, 20, 0.6), second)
    stages = [DrawnReranker(seed, stage.config) for seed, stage in enumerate(chain)]
    query: dict[str, Any] = {"qid": "q", "hits": [(docid, score) for docid, _, score in HITS]}
    for stage, reranker in zip(chain, stages, strict=True):
        query[stage.model] = {
            "likelihoods": {docid: reranker.likelihood("q", text) for docid, text, _ in HITS},
            "tokens": {docid: 3 for docid, _, _ in HITS},
        }
    computed, tokens = rank(chain, query)
    real = CascadeReranker(stages).rerank("q", HITS)
    assert [(hit.docid, hit.score) for hit in computed] == [(hit.docid, hit.score) for hit in real]
    rescored = sum(hit.likelihood is not None for hit in real)
    assert tokens == [3 * 20, 3 * rescored]
    assert rescored == second.depth if second.margin is None else 1 < rescored < second.depth


def test_the_likelihoods_of_a_real_cascade_give_its_list_again() -> None:
    stages = [DrawnReranker(seed, stage.config) for seed, stage in enumerate(CHAIN)]
    real = CascadeReranker(stages).rerank("q", HITS)
    record = with_likelihoods({"qid": "q", "hits": [(docid, score) for docid, _, score in HITS]}, real)
    assert [(hit.docid, hit.score) for hit in rank(CHAIN, record)[0]] == [(hit.docid, hit.score) for hit in real]
    assert 1 < len(record[LARGE]["likelihoods"]) < CHAIN[1].depth


points = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), min_size=1, max_size=20)


@given(points)
def test_no_point_is_both_cheaper_and_better_than_one_of_the_front(pairs: list[tuple[float, float]]) -> None:
    of = [Point((), {"q": ndcg}, seconds, seconds) for seconds, ndcg in pairs]
    best = front(of)
    for point in of:
        assert any(one.seconds <= point.seconds and one.mean >= point.mean for one in best)
    assert [one.mean for one in best] == sorted({one.mean for one in best})


def test_a_quarter_of_the_time_is_that_of_the_large_model_alone() -> None:
    def seconds(chain: Chain) -> float:
        return sum(stage.depth * (0.1 if stage.model == SMALL else 1.0) for stage in chain)

    of = [Point(chain, {"q": 0.5}, seconds(chain), seconds(chain)) for chain in chains()]
    assert [tuple(map(str, point.chain)) for point in quarter(of)] == [
        ("tiny@10", "smollm2@10"),
        ("tiny@20", "smollm2@10"),
        ("tiny@50", "smollm2@7"),
        ("tiny@100", "smollm2@2"),
    ]


def test_the_large_model_of_a_chain_has_no_adapter() -> None:
    assert with_margin(1.0).words.startswith(f"{LARGE}+none@")
    assert Stage(SMALL, 50, 0.6).words.startswith(f"{SMALL}+retrieval@")
