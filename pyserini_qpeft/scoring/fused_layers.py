"""Faster forward passes of two kinds of layers on a CPU: gated MLPs and RMS norms.

transformers writes both as several operators, and each of them goes through memory once. oneDNN computes the activation
and the product of a gated MLP together with the matrix products; a norm takes three passes in place of six.
"""

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

_PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
_ACTIVATIONS = (
    (functional.silu, "swish", ""),
    (partial(functional.gelu, approximate="tanh"), "gelu", "tanh"),
    (functional.gelu, "gelu", "none"),
)
"""Activations with their names in oneDNN."""

Forward = Callable[[Any, torch.Tensor], torch.Tensor]


def fuse_layers(model: nn.Module) -> int:
    """Gives the gated MLPs and RMS norms of a model on a CPU a faster forward pass without gradients.

    A layer is changed only if both forward passes agree on random numbers. Weights, state and forward passes with
    gradients stay as they are. Gated MLPs are changed in bfloat16 only, where the activation takes a large share.

    Args:
        model: Any model; layers under a LoRA or with quantized weights are left alone.

    Returns:
        The number of layers that were changed.
    """
    fused = 0
    agreed: dict[Any, bool] = {}
    for layer in model.modules():
        fast = None if "forward" in vars(layer) else _fast_forward(layer)
        if fast is None:
            continue
        # Layers of one class and shape agree alike: one of them is tried.
        kind = type(layer), tuple((weight.shape, weight.dtype) for weight in layer.parameters())
        if kind not in agreed:
            agreed[kind] = _agrees(layer, fast)
        if agreed[kind]:
            # A method, so that a copy of the layer computes with its own weights.
            layer.forward = MethodType(fast, layer)
            fused += 1
    return fused


def _fast_forward(layer: nn.Module) -> Forward | None:
    if _is_norm(layer):
        return _norm_forward
    if not hasattr(layer, "act_fn") or not _is_gated(layer) or not _has_kernel():
        return None
    activation = _activation(cast(Callable[[torch.Tensor], torch.Tensor], layer.act_fn))
    return None if activation is None else _gated_forward(*activation)


def _gated_forward(name: str, algorithm: str) -> Forward:
    """The forward pass of a gated MLP, down(activation(gate(x)) · up(x)), with this activation of oneDNN."""

    def forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
        # A LoRA may have been put around the projections since.
        if torch.is_grad_enabled() or not _is_gated(layer):
            return cast(torch.Tensor, type(layer).forward(layer, inputs))
        product, gate, up = torch.ops.mkldnn._linear_pointwise, layer.gate_proj, layer.up_proj
        gated = product(inputs, gate.weight, gate.bias, name, [], algorithm)
        return cast(torch.Tensor, layer.down_proj(product.binary(inputs, gated, up.weight, up.bias, "mul")))

    return forward


def _norm_forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    """weight · x / √(mean(x²) + ε), computed in float32.

    Batch normalization divides each of its channels by a square root that is given in float32. Here a channel is one
    token, and its variance is the token's mean square.
    """
    weight = layer.weight
    if torch.is_grad_enabled() or not _is_plain(weight) or inputs.dtype != weight.dtype:
        return cast(torch.Tensor, type(layer).forward(layer, inputs))
    rows = inputs.reshape(1, -1, inputs.shape[-1])
    squares = torch.linalg.vector_norm(rows[0], dim=-1, dtype=torch.float32).square_().div_(inputs.shape[-1])
    scaled = functional.batch_norm(rows, torch.zeros_like(squares), squares, training=False, eps=_epsilon(layer))
    return cast(torch.Tensor, weight * scaled.view_as(inputs))


def _is_norm(layer: Any) -> bool:
    weights = list(layer.parameters())
    named = type(layer).__name__.endswith("RMSNorm")
    return named and len(weights) == 1 and _is_plain(weights[0]) and isinstance(_epsilon(layer), float)


def _epsilon(layer: Any) -> Any:
    return getattr(layer, "variance_epsilon", getattr(layer, "eps", None))


def _is_gated(layer: Any) -> bool:
    linear = [getattr(layer, name, None) for name in _PROJECTIONS]
    return all(
        type(one) is nn.Linear and _is_plain(one.weight) and one.weight.dtype == torch.bfloat16 for one in linear
    )


def _is_plain(weight: torch.Tensor) -> bool:
    dtypes = (torch.bfloat16, torch.float32)
    return type(weight.data) is torch.Tensor and weight.device.type == "cpu" and weight.dtype in dtypes


def _activation(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[str, str] | None:
    """The name of an activation in oneDNN, and its algorithm there; None for one that oneDNN does not have."""
    numbers = torch.linspace(-8, 8, 257)
    for known, name, algorithm in _ACTIVATIONS:
        if torch.allclose(function(numbers), known(numbers), rtol=1e-6, atol=1e-6):
            return name, algorithm
    return None


@torch.inference_mode()
def _agrees(layer: nn.Module, fast: Forward) -> bool:
    weight = next(layer.parameters())
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 5, weight.shape[-1], generator=generator).to(weight.dtype)
    expected = layer(inputs)
    tolerance = 1e-5 if weight.dtype == torch.float32 else 2e-2
    try:
        found = fast(layer, inputs)
    except RuntimeError:
        return False  # a processor or a build of torch without these kernels
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())


def _has_kernel() -> bool:
    return bool(torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise"))
