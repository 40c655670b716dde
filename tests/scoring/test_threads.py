"""Several threads that share one scorer get the scores that one thread gets."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
THREADS = 4
PASSAGES = [passage for _, passage in PAIRS] + [f"{'river Nile ' * n}Paris" for n in range(1, 12)]
POOL = [(query, passage) for query, _ in PAIRS for passage in PASSAGES]
PLENTY = 1 << 30
TIGHT = 60_000
"""Bytes for two or three of the passages."""

Pair = tuple[str, str]


@pytest.fixture(scope="module")
def model() -> Any:
    return adapted("llama", TOKENIZER, variant="retrieval")


@pytest.fixture(scope="module")
def expected(model: Any) -> dict[Pair, float]:
    scorer = LikelihoodScorer(model, TOKENIZER)
    return dict(zip(POOL, scorer.score(scorer.sequences(POOL)).tolist(), strict=True))


def check(in_threads: Any, scorer: LikelihoodScorer, work: list[list[list[Pair]]], expected: dict[Pair, float]) -> None:
    """Scores each thread's lists of pairs, one call after the other, and compares every score."""

    def scoring(calls: list[list[Pair]]) -> Callable[[], list[Any]]:
        return lambda: [scorer.score(scorer.sequences(pairs)) for pairs in calls]

    for calls, scores in zip(work, in_threads([scoring(calls) for calls in work]), strict=True):
        for pairs, got in zip(calls, scores, strict=True):
            np.testing.assert_allclose(got, [expected[pair] for pair in pairs], atol=1e-5)


def small_calls(count: int = 12) -> list[list[list[Pair]]]:
    """For each thread some calls of one to nine pairs, drawn with a fixed seed."""
    draws = Random(3)
    return [[draws.sample(POOL, draws.randint(1, 9)) for _ in range(count)] for _ in range(THREADS)]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"share_passages": False},
        {"batch_tokens": 100},
        {"passage_cache_bytes": 1},
        {"passage_cache_bytes": TIGHT},
        {"passage_cache_bytes": TIGHT, "batch_tokens": 100},
        {"passage_cache_bytes": TIGHT, "share_passages": False},
        {"passage_cache_bytes": PLENTY},
    ],
    ids=str,
)
def test_threads_get_the_scores_of_one_thread(
    in_threads: Any, model: Any, expected: dict[Pair, float], config: dict[str, Any]
) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(**config))
    check(in_threads, scorer, small_calls(), expected)
    if scorer.cache is not None:
        largest = max(scorer.cache.weigh(len(sequence.shared_ids)) for sequence in scorer.sequences(POOL))
        assert scorer.cache.bytes <= max(scorer.cache.limit, largest)


@pytest.mark.parametrize("variant", ["none", "attention"])
def test_other_adapters_get_them_too(in_threads: Any, variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant)
    alone = LikelihoodScorer(model, TOKENIZER)
    expected = dict(zip(POOL, alone.score(alone.sequences(POOL)).tolist(), strict=True))
    check(
        in_threads,
        LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=TIGHT)),
        small_calls(),
        expected,
    )


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    limit=st.sampled_from([1, 20_000, 60_000, 150_000, PLENTY]),
    budget=st.integers(1, 400),
    work=st.lists(
        st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=8), min_size=1, max_size=4),
        min_size=2,
        max_size=THREADS,
    ),
)
def test_no_limit_and_no_order_changes_a_score(
    in_threads: Any, model: Any, expected: dict[Pair, float], limit: int, budget: int, work: list[list[list[Pair]]]
) -> None:
    config = ScoringConfig(passage_cache_bytes=limit, batch_tokens=budget)
    check(in_threads, LikelihoodScorer(model, TOKENIZER, config), work, expected)


@pytest.mark.parametrize("bytes_kept", [0, TIGHT])
def test_threads_that_run_out_of_memory_shrink_their_batches_and_keep_their_scores(
    in_threads: Any, model: Any, expected: dict[Pair, float], bytes_kept: int
) -> None:
    config = ScoringConfig(passage_cache_bytes=bytes_kept, batch_tokens=2000)
    scorer = LikelihoodScorer(model, TOKENIZER, config)
    scorer.score(scorer.sequences(POOL))

    def scarce(module: Any, args: Any, kwargs: Any) -> None:
        ids = kwargs.get("input_ids")
        shape = (kwargs["inputs_embeds"] if ids is None else ids).shape
        if shape[0] * shape[1] > 150:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    hook = model.base_model.model.get_decoder().register_forward_pre_hook(scarce, with_kwargs=True)
    try:
        check(in_threads, scorer, small_calls(), expected)
    finally:
        hook.remove()


def test_one_batch_at_a_time_goes_through_the_model(in_threads: Any, model: Any, expected: dict[Pair, float]) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER)
    scorer.score(scorer.sequences(POOL))
    decoder = model.base_model.model.get_decoder()
    inside, most = [], []

    def enter(*_: Any) -> None:
        inside.append(None)
        most.append(len(inside))

    hooks = [
        decoder.register_forward_pre_hook(enter),
        decoder.register_forward_hook(lambda *_: inside.pop()),
    ]
    try:
        check(in_threads, scorer, small_calls(), expected)
    finally:
        for hook in hooks:
            hook.remove()
    assert set(most) == {1}


def test_each_passage_is_read_once_whichever_threads_want_it(
    in_threads: Any, model: Any, expected: dict[Pair, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=PLENTY))
    assert scorer.cache is not None
    reading, numbers = scorer.cache.reader.model, []
    read = reading.read_passages

    def counting(ids: Any, instruction: slice) -> torch.Tensor:
        numbers.append(len(ids))
        return read(ids, instruction)

    monkeypatch.setattr(reading, "read_passages", counting)
    check(in_threads, scorer, [[POOL], [POOL[::-1]], [POOL], [POOL[::-1]]], expected)
    assert sum(numbers) == len(set(PASSAGES))


def test_hints_of_many_queries_are_those_of_one_thread(in_threads: Any, model: Any) -> None:
    # More queries than the builder remembers.
    queries = [f"{first} {second}" for first in "abcdefghijkl" for second in "abcdefghijkl"]
    pairs = [(query, "the capital of France is Paris") for query in queries]
    scorer = LikelihoodScorer(model, TOKENIZER)
    expected = [one.hint_ids.tolist() for one in scorer.sequences(pairs)]

    def build() -> list[list[int]]:
        return [scorer.sequences([pair])[0].hint_ids.tolist() for pair in pairs]

    assert in_threads([build] * THREADS) == [expected] * THREADS


def test_token_likelihoods_are_those_of_one_thread(in_threads: Any, model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=1))
    sequences = scorer.sequences(POOL[::5])
    expected = [scorer.token_logprobs(sequence) for sequence in sequences]

    def explain() -> list[Any]:
        return [scorer.token_logprobs(sequence) for sequence in sequences]

    for got in in_threads([explain] * THREADS):
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_threads_write_and_read_one_folder_of_passages(
    in_threads: Any, model: Any, expected: dict[Pair, float], tmp_path: Path
) -> None:
    config = ScoringConfig(passage_cache_bytes=TIGHT, passage_cache_folder=tmp_path)
    check(in_threads, LikelihoodScorer(model, TOKENIZER, config), small_calls(), expected)
    # As separate processes would: a scorer for each thread, all with the same folder.
    scorers = [LikelihoodScorer(tiny_model(), TOKENIZER, config) for _ in range(THREADS)]
    bare = LikelihoodScorer(tiny_model(), TOKENIZER)
    wanted = bare.score(bare.sequences(POOL))
    for got in in_threads([lambda one=one: one.score(one.sequences(POOL)) for one in scorers]):  # type: ignore[misc]
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".safetensors", ".json"}
