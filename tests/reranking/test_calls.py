"""Calls of one reranker: reports, progress, threads, several queries at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from five_hits import HITS, PASSAGES, QUERY, configured
from tiny import adapted, tiny_tokenizer

from pyserini_qpeft import FusionConfig, QPeftReranker, RerankConfig, ScoringConfig
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.scoring.report import ScoringReport


def test_each_call_has_a_report_of_its_own(reranker: QPeftReranker) -> None:
    stream = reranker.rerank_stream([(QUERY, HITS)])
    reports = [ScoringReport(), ScoringReport()]
    batches = [[(QUERY, HITS[:2])], [(QUERY, HITS[:3])]]
    calls = [
        reranker.rerank_query_batches([batch], CallOptions(report=report))
        for batch, report in zip(batches, reports, strict=True)
    ]
    for call in calls:
        next(call)
    assert [report.passages for report in reports] == [2, 3]
    assert reranker.last_report is reports[1]
    next(stream)
    assert reranker.last_report.passages == 5
    assert [report.passages for report in reports] == [2, 3]


@pytest.mark.parametrize("bytes_kept", [0, 60_000])
def test_four_threads_that_share_one_reranker_get_the_rankings_and_reports_of_one_thread(
    reranker: QPeftReranker, in_threads: Any, bytes_kept: int
) -> None:
    scoring = ScoringConfig(passage_cache_bytes=bytes_kept, query_batch_pairs=10)
    shared = configured(reranker, fusion=FusionConfig(weight=0.4), scoring=scoring, depth=4)
    texts = list(PASSAGES.values())

    def mixed_calls(query: str, other: str) -> Any:
        def call() -> dict[str, Any]:
            report = ScoringReport()
            requests = [(query, HITS), (other, HITS[2:]), (query, HITS[::-1])]
            reported = shared.rerank_query_batches([requests[:2], requests[2:]], CallOptions(report=report))
            return {
                "lists": [
                    shared.rerank(query, HITS),
                    *(one.hits for one in reported),
                    *shared.rerank_batch(requests),
                    *shared.rerank_stream(requests),
                ],
                "scores": np.concatenate([shared.score(query, texts), shared.predict([(other, one) for one in texts])]),
                "report": (report.passages, report.tokens, report.passages_cut, report.tokens_cut),
            }

        return call

    queries = [QUERY, "who sings", "the brother of Moses", "é"]
    calls = [mixed_calls(query, other) for query, other in zip(queries, queries[1:] + queries[:1], strict=True)]
    alone = [call() for call in calls]
    for ours, theirs in zip(in_threads(calls), alone, strict=True):
        assert ours["report"] == theirs["report"]
        np.testing.assert_allclose(ours["scores"], theirs["scores"], atol=1e-5)
        for one, other in zip(ours["lists"], theirs["lists"], strict=True):
            assert [hit.docid for hit in one] == [hit.docid for hit in other]
            assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-4)


def test_the_progress_bar_counts_passages_and_moves_within_a_query_batch(
    reranker: QPeftReranker, capsys: pytest.CaptureFixture[str]
) -> None:
    scoring = ScoringConfig(batch_tokens=60)
    shown = configured(reranker, progress=True, depth=4, scoring=scoring)
    shown.rerank_batch([(QUERY, HITS), ("who sings", HITS)])
    assert "8/8" in (drawn := capsys.readouterr().err)
    assert "passages/s" in drawn
    configured(reranker, depth=4, scoring=scoring).rerank_batch([(QUERY, HITS)])
    assert capsys.readouterr().err == ""
    counts: list[int] = []
    stream = shown.rerank_query_batches([[(QUERY, HITS), ("who sings", HITS)]], CallOptions(on_scored=counts.append))
    assert counts == []
    next(stream)
    assert sum(counts) == 8
    assert len(counts) > 1


def test_hints_are_kept_when_asked_for_and_are_those_that_scored(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    hinted = QPeftReranker.from_pretrained(
        tiny_model_dir, tmp_path, dtype="float32", config=RerankConfig(depth=3, fusion=FusionConfig(weight=0.4))
    )
    (kept,) = hinted.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True))
    assert kept.hints is not None
    for hit, tokens in zip(kept.hits, kept.hints, strict=True):
        assert tokens == (hinted.hints(QUERY, [PASSAGES[hit.docid]])[0] if hit.first_stage_rank <= 3 else None)
    (cut,) = hinted.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True, k=2))
    assert (cut.hits, cut.hints) == (kept.hits[:2], kept.hints[:2])
    (without,) = hinted.rerank_query_batches([[(QUERY, HITS)]])
    assert without.hints is None


def test_many_queries_at_once_rank_as_each_alone(reranker: QPeftReranker) -> None:
    requests = [(query, HITS[start:]) for start, query in enumerate([QUERY, "who sings", "the brother of Moses", "é"])]
    small_batches = configured(reranker, scoring=ScoringConfig(query_batch_pairs=4))
    for batch in (reranker.rerank_batch(requests), small_batches.rerank_batch(requests)):
        for (query, hits), ranked in zip(requests, batch, strict=True):
            alone = reranker.rerank(query, hits)
            assert [hit.docid for hit in ranked] == [hit.docid for hit in alone]
            assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in alone], abs=1e-5)


def test_a_stream_works_ahead_no_further_than_its_query_batch(reranker: QPeftReranker) -> None:
    taken = []

    def requests() -> Any:
        for place in range(20):
            taken.append(place)
            yield QUERY, HITS

    stream = configured(reranker, scoring=ScoringConfig(query_batch_pairs=10)).rerank_stream(requests())
    next(stream)
    assert len(taken) == 2


def test_the_report_counts_passages_tokens_and_cuts(reranker: QPeftReranker) -> None:
    short = configured(reranker, scoring=ScoringConfig())
    short.rerank(QUERY, HITS)
    assert short.last_report.passages == 5
    assert short.last_report.tokens_cut == short.last_report.passages_cut == 0
    assert short.last_report.passages_per_second > 0
