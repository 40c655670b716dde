"""The order of the hits: the rules that users of a reranker count on."""

from pathlib import Path

import pytest
import torch
from five_hits import HITS, PASSAGES, QUERY, configured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker


def test_hits_come_out_by_descending_likelihood_with_both_scores_and_ranks(reranker: QPeftReranker) -> None:
    ranked = reranker.rerank(QUERY, HITS)
    likelihoods = dict(zip(PASSAGES, reranker.score(QUERY, list(PASSAGES.values())), strict=True))
    assert [hit.docid for hit in ranked] == sorted(PASSAGES, key=lambda docid: -likelihoods[docid])
    assert [hit.rank for hit in ranked] == [1, 2, 3, 4, 5]
    for hit in ranked:
        assert hit.score == hit.likelihood == pytest.approx(likelihoods[hit.docid], abs=1e-6)
        assert hit.first_stage_rank == list(PASSAGES).index(hit.docid) + 1
        assert hit.first_stage_score == 10.0 - list(PASSAGES).index(hit.docid)
        assert hit.text == PASSAGES[hit.docid]


@pytest.mark.parametrize("fusion", [None, FusionConfig(), FusionConfig("rrf"), FusionConfig("minmax", 0.9)])
@pytest.mark.parametrize("depth", [0, 1, 3, 5, 99])
def test_what_was_not_rescored_never_rises_above_what_was(
    reranker: QPeftReranker, depth: int, fusion: FusionConfig | None
) -> None:
    ranked = configured(reranker, depth=depth, fusion=fusion).rerank(QUERY, HITS)
    by_score = sorted(ranked, key=lambda hit: -hit.score)
    assert [hit.docid for hit in by_score] == [hit.docid for hit in ranked]
    assert [hit.docid for hit in ranked[depth:]] == list(PASSAGES)[depth:]
    assert {hit.docid for hit in ranked[:depth]} == set(list(PASSAGES)[:depth])
    assert [hit.rank for hit in ranked] == [1, 2, 3, 4, 5]
    assert all((hit.likelihood is None) == (hit.first_stage_rank > depth) for hit in ranked)
    dropped = configured(reranker, depth=depth, fusion=fusion, below_depth="drop").rerank(QUERY, HITS)
    assert [hit.docid for hit in dropped] == [hit.docid for hit in ranked[:depth]]


def test_depth_zero_is_the_first_stage_unchanged(reranker: QPeftReranker) -> None:
    ranked = configured(reranker, depth=0).rerank(QUERY, HITS)
    assert [(hit.docid, hit.score) for hit in ranked] == [(docid, score) for docid, _, score in HITS]


def test_equal_scores_keep_the_order_of_the_first_stage(reranker: QPeftReranker) -> None:
    same = [(docid, "the same words", 1.0) for docid in ("z", "a", "m", "b")]
    assert [hit.docid for hit in reranker.rerank(QUERY, same)] == ["z", "a", "m", "b"]
    fused = configured(reranker, fusion=FusionConfig()).rerank(QUERY, same)
    assert [hit.docid for hit in fused] == ["z", "a", "m", "b"]
    graded = [(docid, "the same words", 4.0 - place // 2) for place, (docid, _, _) in enumerate(same)]
    assert [hit.docid for hit in configured(reranker, fusion=FusionConfig()).rerank(QUERY, graded)] == list("zamb")


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(5)))
def test_scores_do_not_depend_on_the_order_of_the_hits(reranker: QPeftReranker, order: list[int]) -> None:
    straight = {hit.docid: hit.score for hit in reranker.rerank(QUERY, HITS)}
    shuffled = {hit.docid: hit.score for hit in reranker.rerank(QUERY, [HITS[i] for i in order])}
    assert shuffled == pytest.approx(straight, abs=1e-5)


def test_k_cuts_after_reranking(reranker: QPeftReranker) -> None:
    assert reranker.rerank(QUERY, HITS, k=2) == reranker.rerank(QUERY, HITS)[:2]


def test_a_score_that_is_no_number_names_query_and_document(tiny_model_dir: Path) -> None:
    broken = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    with torch.no_grad():
        broken.scorer.model.get_input_embeddings().weight[5:] = float("nan")
    with pytest.raises(QPeftError, match=r"'d1' for query 'what is the name of the river' is nan"):
        broken.rerank(QUERY, HITS)
