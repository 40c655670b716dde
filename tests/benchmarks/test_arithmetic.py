"""Work is counted as the models do it, padding and unused logits aside."""

import pytest
import torch
from tiny import tiny_model
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.arithmetic import Arithmetic, Reading


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_it_is_what_torch_counts_for_one_sequence(architecture: str) -> None:
    model = tiny_model(architecture)
    model.set_attn_implementation("eager")  # torch counts the whole square of attention; here it is half
    ids = torch.arange(3, 24)[None]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=ids, logits_to_keep=torch.arange(15, 20), use_cache=False)
    length, arithmetic = ids.shape[1], Arithmetic.of(model)
    above_the_diagonal = 2 * arithmetic.attention * length * (length - 1)
    counted = counter.get_total_flops()
    expected = arithmetic.operations([Reading(length, 5)]) + above_the_diagonal
    assert counted == pytest.approx(expected, rel=0.01)


def test_pairs_add_up() -> None:
    arithmetic = Arithmetic.of(tiny_model())
    readings = [Reading(10, 2), Reading(30, 4)]
    assert arithmetic.operations(readings) == sum(arithmetic.operations([reading]) for reading in readings)
    assert arithmetic.operations([Reading(10, 0)]) < arithmetic.operations([Reading(10, 1)])
