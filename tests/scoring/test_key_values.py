"""Key-values as a cache keeps them: the same numbers, or 8-bit integers within the bound that the module states."""

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.key_values import BatchMemory, KeyValueLayout
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

SHAPE = (2, 2, 1, 3, 5, 4)
"""`[layers, 2, batch, heads, length, width]`"""


def states(seed: int, magnitude: float, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(SHAPE, generator=generator) * torch.rand(SHAPE[:-1], generator=generator)[..., None]
    numbers[0, 0, 0, 0, 0] = 0
    return (numbers * magnitude).to(dtype)


def written(layout: KeyValueLayout, given: torch.Tensor) -> torch.Tensor:
    target = torch.full((*SHAPE[:2], *SHAPE[3:]), 7.0, dtype=layout.dtype)
    layout.keep(given[:, :, 0]).write(target)
    return target


@given(
    st.integers(0, 1000),
    st.sampled_from([1e-30, 1e-3, 1.0, 60.0]),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_integers_are_off_by_no_more_than_half_a_step(seed: int, magnitude: float, dtype: torch.dtype) -> None:
    numbers = states(seed, magnitude, dtype)
    got = written(KeyValueLayout.of(numbers, "int8"), numbers).double()
    exact = numbers[:, :, 0].double()
    largest = exact.abs().amax(-1, keepdim=True)
    rounding = torch.finfo(dtype).eps * largest + torch.finfo(dtype).tiny
    assert bool(((got - exact).abs() <= largest / 254 * (1 + 1e-5) + 2 * rounding).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_in_the_dtype_of_the_model_they_are_the_same_to_the_last_bit(dtype: torch.dtype) -> None:
    numbers = states(1, 3.0, dtype)
    assert torch.equal(written(KeyValueLayout.of(numbers), numbers), numbers[:, :, 0])


@pytest.mark.parametrize("kept_as", ["model", "int8"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_does_not_become_one_that_is(kept_as: Any, bad: float) -> None:
    numbers = states(2, 1.0, torch.float32)
    numbers[1, 0, 0, 1, 2, 3] = bad
    assert not written(KeyValueLayout.of(numbers, kept_as), numbers)[1, 0, 1, 2].isfinite().all()


@pytest.mark.parametrize("kept_as", ["model", "int8"])
def test_the_size_is_known_before_they_are_read(kept_as: Any) -> None:
    numbers = states(3, 1.0, torch.bfloat16)
    layout = KeyValueLayout.of(numbers, kept_as)
    assert layout.keep(numbers[:, :, 0]).bytes == SHAPE[4] * layout.bytes_per_token


def test_tensors_of_another_shape_or_dtype_are_not_recognised() -> None:
    numbers = states(4, 1.0, torch.float32)
    for kept_as in ("model", "int8"):
        layout = KeyValueLayout.of(numbers, kept_as)
        tensors = layout.keep(numbers[:, :, 0]).tensors()
        assert layout.recognise(tensors, SHAPE[4]) is not None
        assert layout.recognise(tensors, SHAPE[4] + 1) is None
        assert layout.recognise({}, SHAPE[4]) is None
        assert layout.recognise({**tensors, "states": tensors["states"].to(torch.float16)}, SHAPE[4]) is None
        assert layout.recognise({**tensors, "other": tensors["states"]}, SHAPE[4]) is None


@pytest.mark.parametrize("variant", ["none", "retrieval"])
def test_scores_from_integers_are_near_and_do_not_depend_on_what_the_cache_holds(variant: str) -> None:
    tokenizer = tiny_tokenizer()
    pool = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
    model = adapted("llama", tokenizer, variant=variant) if variant != "none" else tiny_model()
    exact = LikelihoodScorer(model, tokenizer)
    expected = exact.score(exact.sequences(pool))
    found = []
    for limit, budget in ((1 << 30, 4096), (1, 4096), (30_000, 150)):
        config = ScoringConfig(passage_cache_bytes=limit, passage_cache_dtype="int8", batch_tokens=budget)
        scorer = LikelihoodScorer(model, tokenizer, config)
        found += [scorer.score(scorer.sequences(pool)), scorer.score(scorer.sequences(pool[::-1]))[::-1]]
    # A model of random weights, whose likelihoods spread over about one unit.
    np.testing.assert_allclose(found[0], expected, atol=0.02)
    assert np.abs(found[0] - expected).max() > 1e-7
    for other in found[1:]:
        # Rounding of a number that stands between two integers may go either way.
        np.testing.assert_allclose(other, found[0], atol=2e-3)


def test_memory_for_a_larger_batch_replaces_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, empty = BatchMemory(), torch.empty
    memory.take((2, 3), torch.float32, torch.device("cpu"))
    before = weakref.ref(memory._memory)

    def checked(*arguments: Any, **settings: Any) -> torch.Tensor:
        assert before() is None, "both together may not fit"
        return empty(*arguments, **settings)

    monkeypatch.setattr(torch, "empty", checked)
    assert memory.take((4, 3), torch.float32, torch.device("cpu")).shape == (4, 3)
