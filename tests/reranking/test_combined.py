"""Windows, adaptive depth, cascades and probabilities together give what each promises alone."""

from pathlib import Path

import pytest

from pyserini_qpeft import CascadeReranker, FusionConfig, QPeftError, QPeftReranker, RerankConfig, WindowConfig
from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import ScoredDoc

TEXTS = [
    "The Nile flows through Egypt. " * 9 + "It is the longest river.",
    "Paris is the capital of France.",
    "Aaron is the brother of Moses. " * 12,
    "",
    "A song of the hill. " * 5 + "The capital of Egypt is Cairo.",
]
HITS = [(f"d{place}", text, 9.0 - place) for place, text in enumerate(TEXTS)]
QUERY = "the longest river of Egypt"
ALWAYS = StoppingRule(1.0, -2.0, 0.0, 0.0, -1.0, k=3, block=2)
"""Reads all hits, block after block."""
WINDOWS = WindowConfig(size=12, stride=8)


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu")


def reranker(plain: QPeftReranker, **settings: object) -> QPeftReranker:
    return QPeftReranker(plain.scorer, RerankConfig(**settings))


def assert_same(found: RankedHits, expected: RankedHits) -> None:
    assert [hit.docid for hit in found] == [hit.docid for hit in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.likelihood == pytest.approx(other.likelihood, abs=1e-5)
        assert one.probability == pytest.approx(other.probability, abs=1e-5)
        assert [(w.start, w.stop) for w in one.windows] == [(w.start, w.stop) for w in other.windows]


def test_adaptive_depth_reads_documents_through_windows(plain: QPeftReranker) -> None:
    whole = reranker(plain, windows=WINDOWS, calibration=Calibration(2.0, 0.1))
    expected = whole.rerank(QUERY, HITS)
    assert any(len(hit.windows) > 2 for hit in expected)
    assert_same(AdaptiveReranker(whole, ALWAYS).rerank(QUERY, HITS), expected)


def test_a_stage_of_a_cascade_may_have_adaptive_depth_and_windows(plain: QPeftReranker) -> None:
    first, second = reranker(plain, depth=4), reranker(plain, depth=3, windows=WINDOWS)
    expected = CascadeReranker([first, second]).rerank(QUERY, HITS)
    stages = [AdaptiveReranker(first, ALWAYS), AdaptiveReranker(second, ALWAYS)]
    assert_same(CascadeReranker(stages).rerank(QUERY, HITS), expected)


def test_probabilities_of_a_cascade_are_those_of_the_last_stage(plain: QPeftReranker) -> None:
    stages = [
        reranker(plain, depth=4, calibration=Calibration(1.0, 0.0)),
        reranker(plain, depth=2, calibration=Calibration(3.0, -1.0)),
    ]
    (found,) = CascadeReranker(stages).rerank_query_batches([[(QUERY, HITS)]])
    (alone,) = stages[1].rerank_query_batches([[(QUERY, HITS)]])
    assert found.prior == pytest.approx(alone.prior)
    expected = {
        hit.docid: hit.probability for hit in reranker(plain, calibration=Calibration(3.0, -1.0)).rerank(QUERY, HITS)
    }
    for hit in found.hits:
        assert (hit.probability is None) == (hit.likelihood is None)
        if hit.probability is not None:
            assert hit.probability == pytest.approx(expected[hit.docid], abs=1e-5)


def test_a_time_limit_that_is_long_enough_changes_nothing(plain: QPeftReranker) -> None:
    settings = {"calibration": Calibration(2.0, 0.1), "windows": WINDOWS}
    expected = reranker(plain, **settings).rerank(QUERY, HITS)
    in_time = reranker(plain, **settings, milliseconds=60_000.0)
    assert_same(in_time.rerank(QUERY, HITS), expected)
    assert_same(AdaptiveReranker(in_time, ALWAYS).rerank(QUERY, HITS), expected)
    stages = [reranker(plain, depth=4), AdaptiveReranker(reranker(plain, depth=3), ALWAYS)]
    unlimited = CascadeReranker(stages).rerank(QUERY, HITS)
    assert_same(CascadeReranker(stages, milliseconds=60_000.0).rerank(QUERY, HITS), unlimited)


def test_without_time_every_hit_keeps_its_place(plain: QPeftReranker) -> None:
    late = AdaptiveReranker(reranker(plain, milliseconds=1e-6), ALWAYS)
    assert [hit.docid for hit in late.rerank(QUERY, HITS)] == [docid for docid, _, _ in HITS]


def test_what_contradicts_each_other_is_refused(plain: QPeftReranker) -> None:
    with pytest.raises(QPeftError, match="rrf"):
        AdaptiveReranker(reranker(plain, fusion=FusionConfig("rrf")))
    threshold = reranker(plain, calibration=Calibration(1.0, 0.0), minimum_probability=0.5)
    with pytest.raises(QPeftError, match="drops no hits by their probability"):
        CascadeReranker([threshold])


def test_a_stage_after_adaptive_depth_has_the_texts_of_the_hits_that_were_not_read(plain: QPeftReranker) -> None:
    at_once = StoppingRule(1.0, -2.0, 0.0, 0.0, 1e9, k=2, block=2)
    corpus = {docid: text for docid, text, _ in HITS}
    cascade = CascadeReranker([AdaptiveReranker(reranker(plain), at_once), reranker(plain, depth=4)])
    found = cascade.rerank(QUERY, [(docid, score) for docid, _, score in HITS], corpus=corpus)
    assert [stage.passages for stage in cascade.stage_reports] == [2, 4]
    assert sum(hit.likelihood is not None for hit in found) == 4


def test_each_stage_has_all_passages_of_a_document_whatever_the_one_before_read(plain: QPeftReranker) -> None:
    whole = reranker(plain, fusion=None, windows=WINDOWS)
    passages = [ScoredDoc(f"D0#{place}", 5.0 - place, text) for place, text in enumerate(TEXTS[:3])]
    hits = [ScoredDoc("D0", 5.0, passages=tuple(passages)), ScoredDoc("D1", 1.0, passages=(ScoredDoc("D1#0", 1.0),))]
    corpus = {"D1#0": TEXTS[4]}
    expected = whole.rerank(QUERY, hits, corpus=corpus)
    at_once = StoppingRule(1.0, -2.0, 0.0, 0.0, 1e9, k=1, block=1)
    for first in (reranker(plain, windows=WindowConfig("first", size=12)), AdaptiveReranker(whole, at_once)):
        found = CascadeReranker([first, whole]).rerank(QUERY, hits, corpus=corpus)
        assert_same(found, expected)
        assert [[window.docid for window in hit.windows] for hit in found] == [
            [window.docid for window in hit.windows] for hit in expected
        ]


def test_adaptive_depth_reads_the_query_without_a_passage_once(plain: QPeftReranker) -> None:
    whole = reranker(plain, calibration=Calibration(2.0, 0.1))
    adaptive = AdaptiveReranker(whole, ALWAYS)
    whole.rerank(QUERY, HITS)
    adaptive.rerank(QUERY, HITS)
    assert adaptive.last_report.tokens == whole.last_report.tokens


def test_adaptive_depth_warns_of_first_stage_scores_that_say_nothing(
    plain: QPeftReranker, caplog: pytest.LogCaptureFixture
) -> None:
    hits = [(docid, text, float("nan")) for docid, text, _ in HITS]
    expected = reranker(plain).rerank(QUERY, hits)
    caplog.clear()
    assert_same(AdaptiveReranker(reranker(plain), ALWAYS).rerank(QUERY, hits), expected)
    assert len(caplog.records) == 1
