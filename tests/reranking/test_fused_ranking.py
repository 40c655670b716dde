"""Fusion is the default, and the likelihood ranks alone if first-stage scores say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from five_hits import HITS, PASSAGES, QUERY, configured

from pyserini_qpeft import FusionConfig, QPeftReranker
from pyserini_qpeft.models.registry import fusion_weight


def test_the_default_is_fused_with_the_weight_that_comes_with_the_model(
    reranker: QPeftReranker, tiny_model_dir: Path
) -> None:
    loaded = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    weight = fusion_weight(str(tiny_model_dir))
    assert loaded.config.fusion == QPeftReranker(reranker.scorer).config.fusion == FusionConfig(weight=weight)
    ranked = loaded.rerank(QUERY, HITS)
    fused = configured(reranker, fusion=FusionConfig(weight=weight)).rerank(QUERY, HITS)
    assert [hit.docid for hit in ranked] == [hit.docid for hit in fused]
    assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in fused], abs=1e-4)
    likelihoods = {hit.docid: hit.likelihood for hit in reranker.rerank(QUERY, HITS)}
    assert {hit.docid: hit.likelihood for hit in ranked} == pytest.approx(likelihoods, abs=1e-6)
    assert [hit.score for hit in ranked] != [hit.likelihood for hit in ranked]
    shipped = QPeftReranker.from_pretrained(dtype="float32", device="cpu")
    assert (
        shipped.config.fusion == QPeftReranker(shipped.scorer).config.fusion == FusionConfig(weight=fusion_weight(None))
    )


def test_scores_and_predictions_are_likelihoods_whatever_the_fusion(reranker: QPeftReranker) -> None:
    fused, texts = configured(reranker, fusion=FusionConfig(weight=0.1)), list(PASSAGES.values())
    np.testing.assert_array_equal(fused.score(QUERY, texts), reranker.score(QUERY, texts))
    assert fused.explain(QUERY, texts[0]) == reranker.explain(QUERY, texts[0])


@pytest.mark.parametrize(
    "scores", [[2.0] * 5, [5.0, 4.0, float("nan"), 2.0, 1.0], [float("inf"), 4.0, 3.0, 2.0, 1.0], [None] * 5]
)
@pytest.mark.parametrize("method", ["zscore", "minmax", "linear", "rrf"])
def test_without_usable_first_stage_scores_the_likelihood_ranks_and_one_warning_says_so(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture, scores: list[Any], method: Any
) -> None:
    hits = [
        {"docid": docid, "text": text, "score": score}
        for (docid, text), score in zip(PASSAGES.items(), scores, strict=True)
    ]
    fused = configured(reranker, fusion=FusionConfig(method, 0.4))
    batch = fused.rerank_batch([(QUERY, hits), ("who sings", hits), ("the brother", HITS)])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert QUERY in caplog.text
    assert "ranked by the likelihood alone" in caplog.text
    for query, ranked in zip([QUERY, "who sings"], batch, strict=False):
        alone = reranker.rerank(query, hits)
        assert [hit.docid for hit in ranked] == [hit.docid for hit in alone]
        assert all(hit.score == hit.likelihood for hit in ranked)
    assert any(hit.score != hit.likelihood for hit in batch[2])


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("score", [1.0, float("nan"), None])
def test_lists_in_which_nothing_can_move_need_no_warning(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture, depth: int, score: float | None
) -> None:
    hits = [{"docid": docid, "text": text, "score": score} for docid, text in PASSAGES.items()]
    shallow = configured(reranker, depth=depth, fusion=FusionConfig(weight=0.4))
    ranked = shallow.rerank(QUERY, hits)
    assert [hit.docid for hit in ranked] == list(PASSAGES)
    assert all(np.isfinite(hit.score) for hit in ranked)
    configured(reranker, fusion=FusionConfig(weight=0.4)).rerank(QUERY, hits[:1])
    assert caplog.records == []
