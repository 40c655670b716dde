"""How much is scored at once follows from the model, the device and the memory."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pyserini_qpeft.scoring.budget import DoesNotFitError, TokenBudget, query_batch_pairs


class _Model(nn.Module):
    """Layers of as many weights, between embeddings."""

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.embeddings, self.head = nn.Embedding(32_000, 1000), nn.Linear(1000, 32_000, bias=False)
        self.layers = nn.Linear(weights // 1000, 1000, bias=False)

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings

    def get_output_embeddings(self) -> nn.Module:
        return self.head


@pytest.mark.parametrize(
    ("weights", "device", "pairs"),
    [
        (100_000, "cpu", 32_768),
        (10_000_000, "cpu", 1717),
        (106_000_000, "cpu", 162),
        (70_000_000_000, "cpu", 1),
        (106_000_000, "cuda", 32_768),
        (7_000_000_000, "cuda", 2513),
    ],
)
def test_query_batches_are_smaller_for_models_that_take_longer(weights: int, device: str, pairs: int) -> None:
    with torch.device("meta"):
        model = _Model(weights)
    assert query_batch_pairs(model, torch.device(device)) == pairs


@given(
    lengths=st.lists(st.integers(1, 200), max_size=40),
    tokens=st.integers(1, 3000),
    memory=st.integers(200, 3000),
)
def test_every_row_is_computed_once_whatever_the_memory(lengths: list[int], tokens: int, memory: int) -> None:
    budget = TokenBudget(tokens, torch.device("cpu"))
    done: list[int] = []

    def forward(rows: Any) -> None:
        if len(rows) * max(lengths[row] for row in rows) > memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        done.extend(rows.tolist())

    budget.run(lengths, forward)
    assert sorted(done) == list(range(len(lengths)))
    assert 1 <= budget.tokens <= tokens


def test_a_row_that_is_larger_than_the_memory_is_an_error_and_others_keep_their_budget() -> None:
    budget = TokenBudget(500, torch.device("cpu"))

    def forward(rows: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(DoesNotFitError, match="single passage of 300 tokens"):
        budget.run([300], forward)
    assert budget.tokens == 500
    assert budget.lock.acquire(blocking=False)


def test_a_budget_that_one_thread_lowered_is_not_lowered_again_for_batches_planned_before() -> None:
    budget = TokenBudget(1000, torch.device("cpu"))
    sizes: list[int] = []

    def forward(rows: Any) -> None:
        if len(sizes) == 0:
            budget.tokens = 100  # as if another thread had run out of memory meanwhile
        sizes.append(len(rows))

    budget.run([10] * 250, forward)
    assert budget.tokens == 100
    assert sizes == [100, *[10] * 15]
