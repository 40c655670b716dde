"""A margin leaves out the hits whose first-stage score is far below the best one's."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig
from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.cascade.reranker import CascadeReranker
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.protocol import Reranker
from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run

SCORES = [9.0, 8.75, 8.5, 6.0, 5.5, 1.0]
HITS = [(f"d{place}", f"the river {place}", score) for place, score in enumerate(SCORES)]
NEVER = StoppingRule(1.0, -2.0, 0.0, 0.0, -1.0, k=3, block=2)


@given(st.lists(st.floats(-9, 9), max_size=8), st.floats(0, 9), st.one_of(st.none(), st.integers(0, 9)))
def test_the_hits_within_the_margin_are_those_to_the_first_that_is_not(scores, margin, depth):
    ranked = sorted(scores, reverse=True)
    count = RerankConfig(depth=depth, margin=margin).rescored(ranked)
    head = ranked[:depth]
    assert all(score >= ranked[0] - margin for score in head[:count])
    assert all(score < ranked[0] - margin for score in head[count:])


def test_hits_without_usable_scores_are_all_rescored():
    assert RerankConfig(margin=1.0).rescored([9.0, math.nan, 2.0]) == 3
    assert RerankConfig(margin=1.0, depth=2).rescored([math.inf, 5.0, 2.0]) == 2
    assert RerankConfig(margin=0.0).rescored([4.0, 4.0, 3.9]) == 2
    with pytest.raises(QPeftError, match="margin must not be negative"):
        RerankConfig(margin=-0.5)


def test_texts_are_looked_up_only_of_hits_that_may_be_rescored(tiny_model_dir: Path, tmp_path: Path):
    """Later stages of a cascade rescore hits beyond the margin of the first one, if their depth reaches them."""
    base = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu")
    looked_up: list[str] = []

    def text_of(docid: str) -> str:
        looked_up.append(docid)
        return f"the river {docid}"

    def lookups(reranker: Reranker) -> list[int]:
        counts = []
        run = {"q": [ScoredDoc(docid, score) for docid, _, score in HITS]}
        config = RunConfig(tmp_path / "run")
        for rerank in (
            lambda: reranker.rerank("the Nile", [(docid, score) for docid, _, score in HITS], corpus=text_of),
            lambda: rerank_run(run, {"q": "the Nile"}, config, reranker, corpus=text_of),
        ):
            looked_up.clear()
            rerank()
            counts.append(len(looked_up))
            assert looked_up == [docid for docid, *_ in HITS][: len(looked_up)]
        assert len((tmp_path / "run").read_text().splitlines()) in (len(HITS), 3)
        return counts

    def stage(**settings: object) -> QPeftReranker:
        return QPeftReranker(base.scorer, RerankConfig(**settings))

    near = stage(depth=5, margin=0.5)
    assert lookups(near) == [3, 3]
    assert lookups(AdaptiveReranker(near, NEVER)) == [3, 3]
    assert lookups(stage(depth=5)) == [5, 5]
    assert lookups(CascadeReranker([near, stage(depth=2)])) == [3, 3]
    assert lookups(CascadeReranker([near, stage(depth=4)])) == [4, 4]
    assert lookups(CascadeReranker([stage(depth=5, margin=0.5, below_depth="drop"), stage(depth=4)])) == [3, 3]


@pytest.mark.parametrize("below_depth", ["keep", "drop"])
def test_a_list_is_that_of_the_depth_where_the_margin_ends(tiny_model_dir: Path, below_depth: str):
    base = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu")
    near = QPeftReranker(base.scorer, RerankConfig(depth=5, margin=0.5, below_depth=below_depth))
    expected = QPeftReranker(base.scorer, RerankConfig(depth=3, below_depth=below_depth)).rerank("the Nile", HITS)
    for reranker in (near, AdaptiveReranker(near, NEVER)):
        counts: list[int] = []
        options = CallOptions(on_scored=counts.append)
        (found,) = reranker.rerank_query_batches([[("the Nile", HITS)]], options)
        assert [(hit.docid, hit.score) for hit in found.hits] == [
            (hit.docid, pytest.approx(hit.score, abs=1e-4)) for hit in expected
        ]
        assert (found.passages, sum(counts)) == (3, 5)
        assert near.settings()["margin"] == 0.5
    assert "margin=0.5" in repr(near)
