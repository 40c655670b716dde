"""A LoRA is merged into the weights when it is loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from tiny import tiny_model

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import with_adapter
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.models.merging import merge_lora
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.adapters import make_adapter, save_adapter

PAIRS = [("what is fast", "the quick brown fox"), ("a query", ""), ("naïve?", "Ünïcode 漢字 text of some length")]


def base() -> tuple[Any, Any]:
    return load_model(ModelConfig(adapter="none", device="cpu", dtype="float32"))


@pytest.fixture(
    params=[AdapterConfig(variant="lora"), AdapterConfig(variant="retrieval", lora=True)], ids=["alone", "under hints"]
)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of an adapter with a LoRA whose updates are not zero."""
    model, tokenizer = base()
    trained = make_adapter(model, tokenizer, request.param, seed=1)
    torch.manual_seed(3)
    for name, weight in trained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    save_adapter(trained, tmp_path / "adapter")
    return tmp_path / "adapter"


def scores(model: Any, tokenizer: Any) -> npt.NDArray[np.float32]:
    scorer = LikelihoodScorer(model, tokenizer)
    return scorer.score(scorer.sequences(PAIRS))


def lora_folder(saved: Path) -> Path:
    return saved / "lora" if (saved / "lora").is_dir() else saved


def test_scores_are_those_of_the_lora_beside_the_weights(saved: Path) -> None:
    model, tokenizer = base()
    bare = scores(model, tokenizer)
    beside: Any = PeftModel.from_pretrained(model, str(lora_folder(saved)))
    if lora_folder(saved) != saved:
        beside = PeftModel.from_pretrained(beside, str(saved))
    expected = scores(beside.eval(), tokenizer)
    merged, _ = load_model(ModelConfig(adapter=str(saved), device="cpu", dtype="float32"))
    layers = [layer for layer in merged.modules() if isinstance(layer, LoraLayer)]
    assert layers
    assert all(layer.merged for layer in layers)
    np.testing.assert_allclose(scores(merged, tokenizer), expected, atol=1e-5)
    assert np.abs(expected - bare).max() > 1e-3


def test_a_model_that_shares_the_weights_keeps_its_own(saved: Path) -> None:
    model, _ = base()
    weights = list(model.parameters())
    before = [weight.clone() for weight in weights]
    with_adapter(model, saved)
    assert all(torch.equal(weight, kept) for weight, kept in zip(weights, before, strict=True))


def test_weights_that_are_not_finite_are_refused(saved: Path) -> None:
    file = lora_folder(saved) / "adapter_model.safetensors"
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, file)
    with pytest.raises(QPeftError, match="not all finite"):
        with_adapter(base()[0], saved)


def test_quantized_weights_are_left_alone() -> None:
    model, _ = base()
    lora = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    layers = [layer for layer in lora.modules() if isinstance(layer, LoraLayer)]
    quantized = layers[0].get_base_layer()
    quantized.weight = torch.nn.Parameter(quantized.weight.data.to(torch.int8), requires_grad=False)
    merge_lora(lora, Path("folder"))
    assert not any(layer.merged for layer in layers)


def test_weights_that_are_kept_on_disk_are_left_alone() -> None:
    model, _ = base()
    lora = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    layers = [layer for layer in lora.modules() if isinstance(layer, LoraLayer)]
    kept = layers[0].get_base_layer()
    kept.weight = torch.nn.Parameter(kept.weight.data.to("meta"), requires_grad=False)
    merge_lora(lora, Path("folder"))
    assert not any(layer.merged for layer in layers)


def test_biases_that_a_lora_changes_are_not_those_of_other_models() -> None:
    model = tiny_model("gpt2")
    config = LoraConfig(target_modules=["c_proj"], init_lora_weights=False, lora_bias=True)
    biases = {name: weight for name, weight in model.named_parameters() if name.endswith("c_proj.bias")}
    before = {name: weight.clone() for name, weight in biases.items()}
    lora = get_peft_model(model, config)
    for name, weight in lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    merge_lora(lora, Path("folder"))
    assert all(layer.merged for layer in lora.modules() if isinstance(layer, LoraLayer))
    assert biases
    assert all(torch.equal(weight, before[name]) for name, weight in biases.items())


def test_a_lora_of_weights_without_a_layer_of_their_own_stays_beside_them() -> None:
    experts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    lora = get_peft_model(tiny_model("mixtral"), LoraConfig(target_modules=[], target_parameters=experts))
    layers = [layer for layer in lora.modules() if isinstance(layer, LoraLayer)]
    assert layers
    merge_lora(lora, Path("folder"))
    assert not any(layer.merged for layer in layers)
