"""The weights of trained adapters, and their comparison."""

from pathlib import Path

import torch
from safetensors.torch import load_file


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{file.parent.name if file.parent != folder else ''}/{name}": weight
        for file in sorted(folder.rglob("adapter_model.safetensors"))
        for name, weight in load_file(file).items()
    }


def assert_equal(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys() != set()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def assert_close(one: Path, other: Path, tolerance: float) -> None:
    first, second = weights(one), weights(other)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=tolerance, msg=name)
