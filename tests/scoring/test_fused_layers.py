"""Faster forward passes give the same numbers, and step aside wherever they do not apply."""

import copy
import pickle
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import PAIRS, tiny_model, tiny_tokenizer
from torch import nn

from pyserini_qpeft.models.device import cpu_multiplies_bfloat16
from pyserini_qpeft.scoring.fused_layers import fuse_layers
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

IDS = torch.arange(3, 40).view(1, -1)
needs_bfloat16 = pytest.mark.skipif(not cpu_multiplies_bfloat16(), reason="this processor has no bfloat16 products")


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS).logits


def test_norms_of_a_float32_model_give_the_same_numbers_and_its_mlps_stay() -> None:
    model = tiny_model("llama")
    before = logits(model)
    layers = model.config.num_hidden_layers
    assert fuse_layers(model) == 2 * layers + 1
    assert fuse_layers(model) == 0
    torch.testing.assert_close(logits(model), before, rtol=0, atol=1e-5)
    assert "forward" not in vars(model.model.layers[0].mlp)


@needs_bfloat16
def test_a_bfloat16_model_keeps_its_numbers_up_to_rounding() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    exact = logits(tiny_model("llama").to(torch.bfloat16).float())
    before = (logits(model) - exact).abs().mean()
    assert fuse_layers(model) == 3 * model.config.num_hidden_layers + 1
    assert (logits(model) - exact).abs().mean() < 1.5 * before + 1e-6


@needs_bfloat16
@pytest.mark.parametrize("activation", ["silu", "gelu_pytorch_tanh", "gelu", "relu"])
def test_an_activation_is_recognised_by_its_values(activation: str) -> None:
    model = tiny_model("llama")
    model = type(model)(type(model.config)(**{**model.config.to_dict(), "hidden_act": activation})).eval()
    model = model.to(torch.bfloat16)
    before = logits(model).float()
    fuse_layers(model)
    assert ("forward" in vars(model.model.layers[0].mlp)) == (activation != "relu")
    torch.testing.assert_close(logits(model).float(), before, rtol=0.05, atol=0.05)


def test_a_norm_with_another_equation_is_left_alone() -> None:
    class OffsetRMSNorm(nn.Module):
        """Gemma's: one plus the weight."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8))
            self.eps = 1e-6

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return (1 + self.weight) * inputs * torch.rsqrt(inputs.square().mean(-1, keepdim=True) + self.eps)

    assert fuse_layers(nn.Sequential(OffsetRMSNorm())) == 0


@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_are_those_of_the_model_itself(frozen: bool) -> None:
    model, fused = tiny_model("llama"), tiny_model("llama")
    fuse_layers(fused)
    for one in (model, fused):
        one.requires_grad_(not frozen)
    found = []
    for one in (model, fused):
        embeds = one.get_input_embeddings()(IDS).detach().requires_grad_()
        one(inputs_embeds=embeds).logits.square().mean().backward()
        found.append(embeds.grad)
    torch.testing.assert_close(*found)


def test_a_copy_computes_with_its_own_weights() -> None:
    model = tiny_model("llama")
    fuse_layers(model)
    copied = copy.deepcopy(model)
    before = logits(model)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.mul_(1.5)
    torch.testing.assert_close(logits(model), before)
    assert not torch.allclose(logits(copied), before)


@needs_bfloat16
def test_a_lora_that_comes_later_takes_part() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    fuse_layers(model)
    before = logits(model)
    config = LoraConfig(target_modules=["gate_proj", "up_proj"], init_lora_weights=False)
    assert not torch.allclose(logits(get_peft_model(model, config)), before)


class ClampedMLP(nn.Module):
    """As in models that limit the gate and the other half."""

    def __init__(self, *, pair: bool = False) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(64, 96), nn.Linear(64, 96)
        self.down_proj, self.act_fn = nn.Linear(96, 64), nn.SiLU()
        self.pair = pair

    def forward(self, inputs: torch.Tensor) -> Any:
        gate, up = self.gate_proj(inputs).clamp(max=7), self.up_proj(inputs).clamp(-7, 7)
        outputs = self.down_proj(self.act_fn(gate) * up)
        return (outputs, gate) if self.pair else outputs


@needs_bfloat16
@pytest.mark.parametrize("pair", [False, True])
def test_an_mlp_that_clamps_or_returns_something_else_is_left_alone(pair: bool) -> None:
    assert fuse_layers(ClampedMLP(pair=pair).to(torch.bfloat16)) == 0


def test_a_norm_that_needs_more_than_its_inputs_is_left_alone() -> None:
    class GatedRMSNorm(nn.RMSNorm):
        def forward(self, inputs: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(inputs) * gate

    assert fuse_layers(GatedRMSNorm(8, eps=1e-6)) == 0


@needs_bfloat16
def test_layers_of_one_class_with_other_settings_are_tried_separately() -> None:
    class ScaledMLP(ClampedMLP):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.scale * self.down_proj(self.act_fn(self.gate_proj(inputs)) * self.up_proj(inputs))

    assert fuse_layers(nn.Sequential(ScaledMLP(1.0), ScaledMLP(2.0)).to(torch.bfloat16)) == 1


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)])
def test_a_pickled_model_gives_its_scores_and_can_be_fused_again(dtype: torch.dtype) -> None:
    model = tiny_model("llama").to(dtype)
    own = logits(model)
    fused = fuse_layers(model)
    loaded = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(logits(loaded), own)
    assert fuse_layers(loaded) == fused


@needs_bfloat16
def test_hooks_on_projections_run() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    fuse_layers(model)
    seen = []
    model.model.layers[0].mlp.gate_proj.register_forward_hook(lambda *_: seen.append(1))
    logits(model)
    assert seen == [1]


@needs_bfloat16
def test_autocast_may_pass_other_dtypes() -> None:
    mlp = tiny_model("llama").to(torch.bfloat16).model.layers[0].mlp
    inputs = torch.randn(2, 3, mlp.gate_proj.in_features)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        before = mlp(inputs)
        assert fuse_layers(mlp) == 1
        torch.testing.assert_close(mlp(inputs), before)


@needs_bfloat16
def test_a_fused_model_can_be_compiled_later() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    own = logits(model)
    fuse_layers(model)
    graphs = []

    def keep(graph: Any, _: Any) -> Any:
        graphs.append(graph.code)
        return graph

    torch.testing.assert_close(logits(torch.compile(model, backend=keep)), own)
    assert graphs
    assert "mkldnn" not in "".join(graphs)


def test_a_scorer_fuses_its_model_and_the_scores_stay() -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_model("llama")
    scorer = LikelihoodScorer(model, tokenizer)
    assert "forward" in vars(model.model.norm)
    fused = scorer.score(scorer.sequences(PAIRS))
    for layer in model.modules():
        vars(layer).pop("forward", None)
    torch.testing.assert_close(
        torch.from_numpy(scorer.score(scorer.sequences(PAIRS))), torch.from_numpy(fused), rtol=0, atol=1e-5
    )
