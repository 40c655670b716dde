"""A time limit: hits are scored from the first on until the time is up, and the others stay below."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.reranking import deadline
from pyserini_qpeft.reranking.deadline import Deadline, Pace, score_in_time
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.requests import Asked
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.scoring.report import ScoringReport

HITS = [(f"d{place}", f"The Nile flows through Egypt {place}.", 40.0 - place) for place in range(40)]


class Clock:
    """A clock that stands still until something takes time; scoring takes a tenth of a second per hit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        # Only where it is read: event loops in other threads would wait for hours.
        clocks = SimpleNamespace(monotonic=lambda: self.now, perf_counter=lambda: self.now)
        monkeypatch.setattr(deadline, "time", clocks)

    def score(self, pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        self.now += 0.1 * len(pairs)
        texts: list[Any] = [one.text for _, one in pairs]
        return Scored(
            np.arange(len(pairs), dtype=np.float32), texts, [()] * len(pairs), [1] * len(pairs), [0] * len(pairs)
        )


def asked(count: int) -> Asked:
    head = [Candidate(f"d{place}", f"text {place:03}", float(-place)) for place in range(count)]
    tail = [RankedHit("z", -99.0, count + 1, first_stage_score=-99.0, first_stage_rank=count + 1)]
    return Asked("query", head, tail)


@given(st.integers(0, 80), st.floats(0.001, 5))
def test_as_many_hits_as_fit_are_scored_from_the_first_on_and_none_is_lost(count: int, seconds: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock, pace, given_hits = Clock(patch), Pace(), asked(count)
        pace.measured("query", given_hits.head[:1] or [Candidate("d", "text 000", 0.0)], 0.1)
        read, scored = score_in_time(given_hits, clock.score, Deadline(seconds), pace)
        assert clock.now <= seconds
        assert len(read.head) == len(scored.likelihoods) == len(scored.windows)
        assert scored.sequences == [one.text for one in read.head]
        if len(read.head) < count:
            assert clock.now + 0.1 * 1.16 > seconds
        assert read.head == given_hits.head[: len(read.head)]
        listed = [*(one.docid for one in read.head), *(hit.docid for hit in read.tail)]
        assert listed == [*(one.docid for one in given_hits.head), "z"]
        assert [hit.first_stage_rank for hit in read.tail] == list(range(len(read.head) + 1, count + 2))


def test_a_pace_that_gets_slower_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace, hits = Clock(monkeypatch), Pace(), asked(80)
    pace.measured("query", hits.head, 0.001)
    score_in_time(hits, clock.score, Deadline(1.0), pace)
    assert clock.now == pytest.approx(3.2), "one block of 32 hits, and no other"
    clock.now = 0.0
    for _ in range(6):
        clock.now = 0.0
        score_in_time(hits, clock.score, Deadline(1.0), pace)
    assert 0.5 <= clock.now <= 1.2


def test_a_pace_that_was_slow_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace, hits = Clock(monkeypatch), Pace(), asked(10)
    pace.measured("query", hits.head[:1], 30.0)
    read = []
    for _ in range(60):
        clock.now = 0.0
        read.append(len(score_in_time(hits, clock.score, Deadline(0.5), pace)[0].head))
        assert clock.now <= 0.5
    assert read[0] == 0
    assert read[-1] == 4


def test_a_block_whose_time_is_mostly_waiting_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace()
    head = [Candidate(f"d{place}", "text " * (10 + place % 7), float(-place)) for place in range(80)]

    def wait(pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        clock.now += 0.4 - 0.1 * len(pairs) + 1e-5 * sum(len(one.text) for _, one in pairs)
        return clock.score(pairs)

    for turn in range(20):
        clock.now = 0.0
        read, _scored = score_in_time(Asked("query", head[turn:], []), wait, Deadline(0.6), pace)
        assert clock.now <= 0.6
    assert len(read.head) == 32, "one block fits, and its size makes hardly a difference"


def reads_of_equal_hits(fixed: float, each: float, seconds: float) -> tuple[list[int], list[float]]:
    """Hits that are read, and the time that is taken, of 150 queries whose hits all have the same size."""
    hits, pace, reads, times = asked(80), Pace(), [], []
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)

        def score(pairs: Sequence[tuple[str, Candidate]]) -> Scored:
            clock.now += fixed + (each - 0.1) * len(pairs)
            return clock.score(pairs)

        for _ in range(150):
            clock.now = 0.0
            reads.append(len(score_in_time(hits, score, Deadline(seconds), pace)[0].head))
            times.append(clock.now)
    return reads, times


@settings(max_examples=15)
@given(st.floats(0.1, 1.0), st.floats(0.001, 0.1), st.integers(2, 32))
def test_equal_hits_whose_time_is_mostly_fixed_do_not_stay_at_one(fixed: float, each: float, fit: int) -> None:
    """Blocks of one size do not say which part of their time is fixed."""
    reads, _ = reads_of_equal_hits(fixed, each, 1.16 * (fixed + each * fit))
    assert max(reads) >= fit
    assert sum(reads[-50:]) / 50 > min(fit, 16) / 2


@settings(max_examples=5)
@given(st.floats(1.2, 2.0))
def test_equal_hits_without_a_fixed_time_are_rarely_tried_in_vain(limit: float) -> None:
    reads, times = reads_of_equal_hits(0.0, 1.0, limit)
    assert set(reads) <= {0, 1, 2}
    assert sum(time > limit for time in times) <= 6, "of 150 queries"
    assert max(times) <= 2.0


def test_a_pace_goes_on_after_any_number_of_blocks_of_one_size() -> None:
    """A service with long passages, all cut at the same length, sees no block of another size for days."""
    pace, hits = Pace(), asked(80).head
    for _ in range(10_000):
        pace.measured("query", hits[:32], 0.13)
        pace.hope()
    assert pace.fitting("query", hits, 0.16) == 32
    assert pace.fitting("query", hits, 0.01) == 0


def test_a_pace_is_learnt_from_blocks_that_were_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace, hits = Clock(monkeypatch), Pace(), asked(80)
    pace.measured("query", hits.head, 0.08)

    def whole_or_nothing(pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        scored = clock.score(pairs)
        read = scored if clock.now <= 0.55 else scored.part(0, 0)
        clock.now = min(clock.now, 0.55)
        return read

    found = []
    for _ in range(30):
        clock.now = 0.0
        found.append(len(score_in_time(hits, whole_or_nothing, Deadline(0.55), pace)[0].head))
    assert found[0] == 0
    assert min(found[-5:]) >= 2


def test_scoring_that_takes_no_time_at_all_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace, hits = Clock(monkeypatch), Pace(), asked(3)
    pace.measured("query", hits.head, 0.0)
    assert len(score_in_time(hits, clock.score, Deadline(1.0), pace)[0].head) == 3


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu")


def test_with_time_enough_the_list_is_the_same_as_without_a_limit(reranker: QPeftReranker) -> None:
    limited = QPeftReranker(reranker.scorer, replace(reranker.config, milliseconds=600_000))
    for _ in range(2):
        found, own = limited.rerank("which river", HITS), reranker.rerank("which river", HITS)
        assert [hit.docid for hit in found] == [hit.docid for hit in own]
        assert [hit.likelihood for hit in found] == pytest.approx([hit.likelihood for hit in own], abs=1e-4)
    assert limited.query_batch_pairs == 1


def test_when_the_time_is_up_before_the_first_hit_the_list_is_the_first_stages(reranker: QPeftReranker) -> None:
    counts: list[int] = []
    report = ScoringReport()
    batches = [[("which river", HITS)]]
    found = next(
        reranker.rerank_query_batches(
            batches, CallOptions(deadline=Deadline(0.0), report=report, on_scored=counts.append)
        )
    )
    assert [(hit.docid, hit.score, hit.likelihood) for hit in found.hits] == [(one[0], one[2], None) for one in HITS]
    assert (found.passages, report.passages, sum(counts)) == (0, 0, len(HITS))


def test_after_the_deadline_the_model_reads_nothing(reranker: QPeftReranker) -> None:
    calibrated = QPeftReranker(reranker.scorer, replace(reranker.config, calibration=Calibration(1.0, 0.0)))
    report = ScoringReport()
    next(
        calibrated.rerank_query_batches(
            [[("which river", HITS)]], CallOptions(deadline=Deadline(0.0), report=report, hints=True)
        )
    )
    assert report.tokens == 0


def test_a_limit_that_is_not_above_0_is_refused() -> None:
    with pytest.raises(QPeftError, match="milliseconds must be above 0"):
        RerankConfig(milliseconds=0)
