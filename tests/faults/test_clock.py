"""Results do not depend on the clock: not on one that jumps, and not on files from the future."""

import os
import random
import time
from pathlib import Path

import pytest
from forks import command, run
from jobs import JOBS
from kills import contents, difference

BY_NAME = {job.name: job for job in JOBS}
_YEARS = 10 * 365 * 86_400


def _jump() -> None:
    """The clock of this process is wrong by up to ten years, by another time at each look."""
    rng, real, real_ns = random.Random(1), time.time, time.time_ns
    time.time = lambda: real() + rng.uniform(-_YEARS, _YEARS)
    time.time_ns = lambda: real_ns() + rng.randrange(-_YEARS, _YEARS) * 10**9


@pytest.mark.parametrize("name", ["rerank, TREC", "rerank, JSON", "mine", "train"])
def test_a_clock_that_jumps(name: str, inputs: Path, tmp_path: Path, expected):
    job = BY_NAME[name]
    code, said = run(command(job, inputs, tmp_path), _jump)
    assert code == 0, said
    assert difference(job, expected(name), contents(tmp_path)) == ""


@pytest.mark.parametrize("years", [-30, 30])
def test_a_corpus_whose_time_is_far_away_is_read_anew_when_it_changes(years: int, tmp_path: Path, monkeypatch):
    from pyserini_qpeft.cli import texts

    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(texts, "KEPT_IN_MEMORY_BYTES", 0)
    corpus = tmp_path / "corpus.jsonl"
    for text in ("before", "behind", "longer than before"):
        corpus.write_text(f'{{"_id": "1", "text": "{text}"}}\n')
        moment = time.time() + years * 365 * 86_400
        os.utime(corpus, (moment, moment))
        source = texts.open_texts(corpus, None)
        assert source is not None
        assert source("1") == text
