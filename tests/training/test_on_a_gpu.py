"""On a GPU a training step has the gradients of a CPU, and a run ends with an adapter that a CPU loads."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from trained import first_gradients

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.run import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

Make = Callable[..., TrainConfig]
NEAR = {"in_batch": 2, "groups": "near", "group_passages": 3}
ADAPTERS: dict[str, dict[str, Any]] = {
    "retrieval": {"variant": "retrieval", "prompt": {"hint_gate": -1.0}},
    "attention": {"variant": "attention"},
    "trained words": {"variant": "prompt-tuning", "prompt": {"instruction_mode": "suffix"}},
    "lora": {"variant": "lora"},
    "retrieval and lora": {"variant": "retrieval", "lora": True},
}


def on(config: TrainConfig, device: str) -> TrainConfig:
    return replace(config, base=replace(config.base, device=device))


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("sampling", [{}, NEAR], ids=["alone", "near"])
def test_a_step_has_the_gradients_of_a_cpu(
    configured: Make, name: str, sampling: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured("here", adapter=ADAPTERS[name], sampling=sampling)
    expected = first_gradients(on(config, "cpu"), monkeypatch)
    found = first_gradients(on(replace(config, output=config.output.with_name("there")), "cuda"), monkeypatch)
    assert expected.keys() == found.keys()
    for weight, gradient in expected.items():
        torch.testing.assert_close(found[weight].cpu(), gradient, rtol=1e-3, atol=1e-5, msg=weight)


def test_an_adapter_trained_on_a_gpu_loads_on_a_cpu(configured: Make, tiny_model_dir: Any) -> None:
    config = on(configured("adapter", adapter=ADAPTERS["retrieval"]), "cuda")
    assert train(config) is not None
    model, _ = load_model(ModelConfig(model=str(tiny_model_dir), adapter=str(config.output), device="cpu"))
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}
