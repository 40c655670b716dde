"""How much is scored at once follows from the model and the device."""

import pytest
import torch
from torch import nn

from pyserini_qpeft.scoring.budget import query_batch_pairs


@pytest.mark.parametrize(
    ("weights", "device", "pairs"),
    [
        (3_600_000, "cpu", 32_768),
        (60_000_000, "cpu", 2290),
        (7_000_000_000, "cpu", 256),
        (7_000_000_000, "cuda", 20_105),
    ],
)
def test_windows_are_the_smaller_the_longer_a_pair_takes(weights: int, device: str, pairs: int) -> None:
    with torch.device("meta"):
        model = nn.Linear(weights // 1000, 1000, bias=False)
    assert query_batch_pairs(model, torch.device(device)) == pairs
