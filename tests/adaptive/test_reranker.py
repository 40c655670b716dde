"""The adaptive reranker gives the list of the plain one at the depth where it stopped, and reads no more than that."""

import random
from pathlib import Path

import pytest

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker, RerankConfig
from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.adaptive.rule_file import rule_of
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run
from pyserini_qpeft.scoring.report import ScoringReport

WORDS = ["river", "capital", "Paris", "Nile", "Egypt", "prophet", "song", "hill", "longest", "France", "brother"]
QUERIES = ["which river flows", "the capital of France", "a brother"]
RULE = StoppingRule(1.0, -2.0, -0.3, 0.0, 0.6, k=3, block=2)
"""Stops at different depths for the three queries."""


def hits(query: str) -> list[tuple[str, str, float]]:
    draw = random.Random(query)
    return [(f"d{place}", " ".join(draw.choices(WORDS, k=6)), 20.0 - place**0.5) for place in range(14)]


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", config=RerankConfig(depth=12))


def configured(plain: QPeftReranker, **settings: object) -> QPeftReranker:
    return QPeftReranker(plain.scorer, RerankConfig(**{"depth": 12, **settings}))


def depths(plain: QPeftReranker, rule: StoppingRule = RULE) -> list[int]:
    """Where reading stops, replayed on likelihoods that are all known."""
    found = []
    for query in QUERIES:
        ranked = sorted(plain.rerank(query, hits(query))[:12], key=lambda hit: hit.first_stage_rank)
        scores = [hit.first_stage_score for hit in ranked]
        found.append(rule.read_depth([hit.likelihood for hit in ranked], scores, plain.config.fusion))
    return found


@pytest.mark.parametrize(
    "settings",
    [{}, {"fusion": None}, {"fusion": FusionConfig("minmax", 0.4)}, {"below_depth": "drop"}],
)
def test_each_list_is_that_of_the_plain_reranker_at_the_depth_where_reading_stopped(plain: QPeftReranker, settings):
    full = configured(plain, **settings)
    report = ScoringReport()
    batch = [[(query, hits(query)) for query in QUERIES]]
    lists = list(AdaptiveReranker(full, RULE).rerank_query_batches(batch, CallOptions(hints=True, report=report)))
    expected_depths = depths(full)
    assert [one.passages for one in lists] == expected_depths
    assert report.passages == sum(expected_depths) < 12 * 3
    for one, query, depth in zip(lists, QUERIES, expected_depths, strict=True):
        (expected,) = configured(plain, **{**settings, "depth": depth}).rerank_query_batches(
            [[(query, hits(query))]], CallOptions(hints=True)
        )
        assert [hit.docid for hit in one.hits] == [hit.docid for hit in expected.hits]
        assert [hit.score for hit in one.hits] == pytest.approx([hit.score for hit in expected.hits], abs=1e-4)
        for hit, same in zip(one.hits, expected.hits, strict=True):
            assert (hit.rank, hit.first_stage_rank, hit.first_stage_score) == (
                *(same.rank, same.first_stage_rank, same.first_stage_score),
            )
            assert hit.first_stage_rank > 12 or hit.text is not None
            assert (hit.likelihood is None) == (same.likelihood is None)
        assert one.hints == expected.hints
        assert one.prior == pytest.approx(expected.prior, abs=1e-5)


def test_the_name_of_a_rules_file_is_not_a_rule(plain: QPeftReranker):
    with pytest.raises(QPeftError, match=r"must be a StoppingRule, not 'rule.json': read one .* with read_rule of"):
        AdaptiveReranker(plain, "rule.json")


def test_a_rule_that_never_stops_is_the_plain_reranker(plain: QPeftReranker):
    never = StoppingRule(1.0, -2.0, 0.0, 0.0, -1.0, k=3, block=5)
    for query in QUERIES:
        whole, expected = AdaptiveReranker(plain, never).rerank(query, hits(query)), plain.rerank(query, hits(query))
        assert [hit.docid for hit in whole] == [hit.docid for hit in expected]
        assert [hit.likelihood for hit in whole[:12]] == pytest.approx([h.likelihood for h in expected[:12]], abs=1e-5)


def test_probabilities_and_their_minimum_hold_for_the_hits_that_were_read(plain: QPeftReranker):
    curve = Calibration(1.0, 0.0)
    adaptive = AdaptiveReranker(configured(plain, calibration=curve), RULE)
    whole = adaptive.rerank(QUERIES[0], hits(QUERIES[0]))
    read = depths(plain)[0]
    assert [hit.probability is not None for hit in whole] == [True] * read + [False] * (14 - read)
    minimum = sorted(hit.probability for hit in whole[:read])[1]
    strict = AdaptiveReranker(configured(plain, calibration=curve, minimum_probability=minimum), RULE)
    found = strict.rerank(QUERIES[0], hits(QUERIES[0]), k=2)
    expected = [hit.docid for hit in whole[:read] if hit.probability >= minimum][:2]
    assert [hit.docid for hit in found] == expected


def test_a_run_is_resumed_with_the_same_rule_only_and_the_bar_comes_to_its_end(plain: QPeftReranker, tmp_path: Path):
    topics = {f"q{place}": query for place, query in enumerate(QUERIES)}
    run = {qid: [ScoredDoc(docid, score, text) for docid, text, score in hits(topics[qid])] for qid in topics}
    adaptive = AdaptiveReranker(plain, RULE)
    report = rerank_run(run, topics, RunConfig(tmp_path / "run.txt"), adaptive)
    assert report.scoring.passages == sum(depths(plain))
    assert len((tmp_path / "run.txt").read_text().splitlines()) == 14 * 3
    counts: list[int] = []
    batch = [[(query, hits(query)) for query in QUERIES]]
    list(adaptive.rerank_query_batches(batch, CallOptions(on_scored=counts.append)))
    assert sum(counts) == 12 * 3
    other = AdaptiveReranker(plain, StoppingRule(1.0, -2.0, -0.3, 0.0, 0.7, k=3, block=2))
    assert adaptive.settings() != other.settings()
    assert adaptive.settings() != plain.settings()


def test_no_hits_and_a_depth_of_0_read_nothing(plain: QPeftReranker):
    assert AdaptiveReranker(plain, RULE).rerank("a query", []) == []
    unread = AdaptiveReranker(configured(plain, depth=0), RULE).rerank(QUERIES[0], hits(QUERIES[0]))
    assert [hit.docid for hit in unread] == [docid for docid, _, _ in hits(QUERIES[0])]


def test_a_time_limit_ends_reading_too_and_gives_the_list_of_the_hits_that_were_read(plain: QPeftReranker):
    hurried = AdaptiveReranker(configured(plain, milliseconds=1e-6), RULE)
    counts: list[int] = []
    (nothing,) = hurried.rerank_query_batches([[(QUERIES[0], hits(QUERIES[0]))]], CallOptions(on_scored=counts.append))
    assert nothing.passages == 0
    assert sum(counts) == 12
    assert [hit.docid for hit in nothing.hits] == [docid for docid, _, _ in hits(QUERIES[0])]
    patient = AdaptiveReranker(configured(plain, milliseconds=1e9), RULE)
    found = [one.passages for one in patient.rerank_query_batches([[(query, hits(query)) for query in QUERIES]])]
    assert all(read <= depth for read, depth in zip(found, depths(plain), strict=True))
    late = AdaptiveReranker(plain, RULE).rerank_query_batches(
        [[(QUERIES[0], hits(QUERIES[0]))]], CallOptions(deadline=Deadline.after(0))
    )
    assert [one.passages for one in late] == [0]


def test_rrf_is_refused_before_anything_is_read(plain: QPeftReranker):
    with pytest.raises(QPeftError, match="cannot be used with rrf"):
        AdaptiveReranker(configured(plain, fusion=FusionConfig("rrf")), RULE)


def test_a_model_without_a_rule_says_how_one_is_learnt(plain: QPeftReranker):
    with pytest.raises(QPeftError, match=r"none comes with this model: learn one .* \(qpeft tune --stopping FILE\)"):
        AdaptiveReranker(plain)


def test_the_rule_that_comes_with_the_model_is_taken():
    shipped = AdaptiveReranker(QPeftReranker.from_pretrained(dtype="float32", device="cpu"))
    assert shipped.rule == rule_of(shipped.reranker.model)
    assert shipped.rule.queries == 303
