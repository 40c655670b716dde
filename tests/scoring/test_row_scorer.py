"""Rows are scored within the token budget; what does not fit into memory is scored in smaller parts, or is an error."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]


def test_short_of_memory_batches_shrink_and_scores_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    pairs = [("the river Nile", "Paris " * n) for n in range(1, 30)]
    roomy = LikelihoodScorer(model, TOKENIZER)
    expected = roomy.score(roomy.sequences(pairs))
    tight = LikelihoodScorer(model, TOKENIZER)
    forward = tight.row_scorer.forward

    def scarce(rows: Any) -> Any:
        if len(rows) * max(len(sequence) for row in rows for sequence in row) > 300:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(rows)

    monkeypatch.setattr(tight.row_scorer, "forward", scarce)
    np.testing.assert_allclose(tight.score(tight.sequences(pairs)), expected, atol=1e-5)
    assert tight.row_scorer.budget.tokens <= 300


def test_a_row_that_does_not_fit_into_memory_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(adapted("llama", TOKENIZER, variant="retrieval"), TOKENIZER)
    expected = np.concatenate([scorer.score(scorer.sequences([pair])) for pair in POOL])
    sequences = scorer.sequences(POOL)
    longest = max(len(sequence) for sequence in sequences)
    forward = scorer.row_scorer.forward

    def scarce(rows: Any) -> Any:
        if sum(len(row[0].shared_ids) + sum(len(pair.following) for pair in row) for row in rows) > longest:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(rows)

    monkeypatch.setattr(scorer.row_scorer, "forward", scarce)
    np.testing.assert_allclose(scorer.score(sequences), expected, atol=1e-5)


@pytest.mark.parametrize("limit", [0, 60_000])
@pytest.mark.parametrize("variant", [None, "retrieval", "attention"])
def test_scores_do_not_depend_on_the_multiple_to_which_rows_are_padded(limit: int, variant: str | None) -> None:
    model = tiny_model() if variant is None else adapted("llama", TOKENIZER, variant=variant)
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=limit, batch_tokens=200))
    expected = scorer.score(scorer.sequences(POOL))
    scorer.row_scorer.multiple = 8
    np.testing.assert_allclose(scorer.score(scorer.sequences(POOL)), expected, atol=1e-5)
    rows = [[sequence] for sequence in scorer.sequences(POOL)]
    assert scorer.row_scorer.collate(rows)["input_ids"].shape[1] % 8 == 0


@pytest.mark.parametrize("limit", [0, 1, 60_000])
@pytest.mark.parametrize("memory", [120, 1 << 20])
def test_each_pair_is_counted_once_when_its_batch_is_scored(
    monkeypatch: pytest.MonkeyPatch, limit: int, memory: int
) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_bytes=limit, batch_tokens=200))
    forward = scorer.row_scorer.forward

    def scarce(rows: Any) -> Any:
        if len(rows) > 1 and sum(len(pair.following) for row in rows for pair in row) > memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(rows)

    monkeypatch.setattr(scorer.row_scorer, "forward", scarce)
    counts: list[int] = []
    scorer.score(scorer.sequences(POOL), counts.append)
    assert sum(counts) == len(POOL)
    assert len(counts) > 1
    counts.clear()
    scorer.score(scorer.sequences([*POOL, *POOL[:3]]), counts.append)
    assert sum(counts) == len(POOL) + 3


def test_a_passage_that_never_fits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER)

    def never(rows: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(scorer.row_scorer, "forward", never)
    with pytest.raises(QPeftError, match="out of memory on cpu with a single passage"):
        scorer.score(scorer.sequences([("river", "Nile"), ("river", "Nile Nile")]))


def test_logits_count_among_what_a_batch_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(batch_tokens=600, share_passages=False))
    monkeypatch.setattr("pyserini_qpeft.scoring.budget.BYTES_PER_TOKEN", 12 * 400 // 10)  # a logit is ten tokens
    forward, scored = scorer.row_scorer.forward, []

    def counting(rows: Any) -> Any:
        scored.append(sum(len(pair.scored) for row in rows for pair in row))
        return forward(rows)

    monkeypatch.setattr(scorer.row_scorer, "forward", counting)
    scorer.score(scorer.sequences([(f"river {n}", "Nile") for n in range(30)]))
    assert len(scored) > 1
    assert all(10 * count <= 600 for count in scored)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(memory=st.integers(90, 1200), limit=st.sampled_from([0, 1, 60_000]), order=st.permutations(POOL))
def test_scores_do_not_depend_on_the_memory(memory: int, limit: int, order: list[tuple[str, str]]) -> None:
    model = tiny_model()
    expected = LikelihoodScorer(model, TOKENIZER, ScoringConfig(share_passages=False))
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=limit))

    def scarce(module: Any, args: Any, kwargs: Any) -> None:
        if kwargs["input_ids"].numel() > memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    assert scorer.planner.packs
    hook = model.get_decoder().register_forward_pre_hook(scarce, with_kwargs=True)
    try:
        scores = scorer.score(scorer.sequences(order))
    finally:
        hook.remove()
    np.testing.assert_allclose(scores, expected.score(expected.sequences(order)), atol=1e-5)


def test_an_explanation_that_does_not_fit_is_an_error_of_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER)

    def never(rows: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(scorer.row_scorer, "forward", never)
    with pytest.raises(QPeftError, match="out of memory on cpu with a single passage"):
        scorer.token_logprobs(scorer.sequences([("river", "Nile")])[0])


def test_rows_are_padded_where_it_is_faster() -> None:
    model = tiny_model()
    exact, half = LikelihoodScorer(model, TOKENIZER), LikelihoodScorer(tiny_model().to(torch.bfloat16), TOKENIZER)
    cached = LikelihoodScorer(half.model, TOKENIZER, ScoringConfig(passage_cache_bytes=60_000))
    assert [scorer.row_scorer.multiple for scorer in (exact, half, cached)] == [1, 8, 1]


@pytest.mark.parametrize("limit", [0, 1 << 30])
@pytest.mark.parametrize("pairs", [1, 3])
def test_no_row_is_padded_beyond_the_places_that_a_model_knows(
    monkeypatch: pytest.MonkeyPatch, limit: int, pairs: int
) -> None:
    """GPT-2 has a table of 512 places, which is no multiple of 7."""
    monkeypatch.setattr("pyserini_qpeft.scoring.passage_reader.row_multiple", lambda weight: 7)
    long = " ".join(["a long passage of many words"] * 200)
    config = ScoringConfig(passage_tokens=1 << 20, passage_cache_bytes=limit)
    scorer = LikelihoodScorer(tiny_model("gpt2"), TOKENIZER, config)
    sequences = scorer.sequences([(f"{query} question", long) for query in ("one", "another", "some")[:pairs]])
    assert max(len(sequence) for sequence in sequences) == 512
    expected = scorer.score(sequences)
    scorer.row_scorer.multiple = 7
    np.testing.assert_allclose(scorer.score(sequences), expected, atol=1e-5)


@pytest.mark.parametrize("limit", [0, 1 << 20])
@pytest.mark.parametrize("queries", [1, 3])
def test_a_batch_holds_no_more_tokens_than_its_budget_padding_to_the_multiple_included(
    monkeypatch: pytest.MonkeyPatch, limit: int, queries: int
) -> None:
    monkeypatch.setattr("pyserini_qpeft.scoring.passage_reader.row_multiple", lambda weight: 16)
    config = ScoringConfig(batch_tokens=300, passage_cache_bytes=limit)
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, config)
    if not limit:
        scorer.row_scorer.multiple = 16
    pairs = [
        (f"{query} question", f"{'a ' * n} passage") for n in range(1, 40) for query in ("one", "two", "it")[:queries]
    ]
    sequences = scorer.sequences(pairs)
    assert scorer.planner.packs
    sizes: list[int] = []
    model = scorer.row_scorer.model
    read, likelihood = model.read_passages, model.likelihood

    def reading(ids: Any, instruction: slice) -> Any:
        sizes.append(ids.size)
        return read(ids, instruction)

    def scoring(batch: Any, cached: Any = None) -> Any:
        sizes.append(batch["input_ids"].numel())
        return likelihood(batch, cached)

    monkeypatch.setattr(model, "read_passages", reading)
    monkeypatch.setattr(model, "likelihood", scoring)
    scorer.score(sequences)
    assert 150 < max(sizes) <= 300
