"""The weights of trained adapters and the gradients of their steps, and their comparison."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.run import train
from pyserini_qpeft.training.trainer import TrainingGuard


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


def first_gradients(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Gradients of the first step; AdamW's own steps blow rounding up where a gradient is next to nothing."""
    gradients: dict[str, torch.Tensor] = {}

    class Seen(Exception):
        pass

    def look(self: Any, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        gradients.update({n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None})
        raise Seen

    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuard, "on_pre_optimizer_step", look)
        with pytest.raises(Seen):
            train(config)
    return gradients
