"""Faster forward passes of two kinds of layers on a CPU: gated MLPs and RMS norms.

transformers writes both as several operators, and each of them goes through memory once. oneDNN multiplies matrices with
the activation and the product of a gated MLP in the same call; a norm takes two passes in place of six.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

_ACTIVATIONS = (
    (functional.silu, "swish", ""),
    (partial(functional.gelu, approximate="tanh"), "gelu", "tanh"),
    (functional.gelu, "gelu", "none"),
)
"""Activations with their names in oneDNN."""

_DTYPES = (torch.bfloat16, torch.float32)


def fuse_layers(model: nn.Module) -> int:
    """Gives the gated MLPs and RMS norms of a model on a CPU a faster forward pass without gradients.

    A layer is changed only if both forward passes agree on random numbers. Weights, state and forward passes with
    gradients stay as they are. A layer that was changed before is left alone.

    Args:
        model: Any model; layers under a LoRA or with quantized weights are left alone.

    Returns:
        The number of layers that were changed.
    """
    fused = 0
    agreed: dict[tuple[Any, ...], bool] = {}
    for layer in model.modules():
        fast = None if "forward" in vars(layer) else _fast_forward(layer)
        if fast is None:
            continue
        # Layers of one kind agree alike: one of them is tried.
        weights = tuple((weight.shape, weight.dtype) for weight in layer.parameters())
        kind = (type(layer), weights)
        if kind not in agreed:
            agreed[kind] = _agrees(layer, fast)
        if agreed[kind]:
            layer.forward = _without_gradients(fast, layer.forward)
            fused += 1
    return fused


def _without_gradients(fast: Callable[..., Any], usual: Callable[..., Any]) -> Callable[..., Any]:
    """The fast forward pass, or the usual one if gradients are needed or the layer got other inputs than one tensor."""

    def forward(inputs: torch.Tensor, *others: Any, **options: Any) -> Any:
        if others or options or torch.is_grad_enabled():
            return usual(inputs, *others, **options)
        return fast(inputs)

    return forward


def _fast_forward(layer: nn.Module) -> Callable[[torch.Tensor], torch.Tensor] | None:
    weights = list(layer.parameters())
    if any(weight.device.type != "cpu" or weight.dtype not in _DTYPES for weight in weights):
        return None
    if type(layer).__name__.endswith("RMSNorm") and len(weights) == 1:
        epsilon = getattr(layer, "variance_epsilon", getattr(layer, "eps", None))
        return None if epsilon is None else partial(_norm, weights[0], epsilon)
    parts = dict(layer.named_children())
    linear = [parts.get(name) for name in ("gate_proj", "up_proj", "down_proj")]
    if any(type(part) is not nn.Linear for part in linear) or not hasattr(layer, "act_fn") or not _has_kernel():
        return None
    activation = _activation(layer.act_fn)
    return None if activation is None else partial(_gated, *linear, *activation)


def _gated(
    gate: nn.Linear, up: nn.Linear, down: nn.Linear, name: str, algorithm: str, inputs: torch.Tensor
) -> torch.Tensor:
    """down(activation(gate(x)) · up(x))."""
    product = torch.ops.mkldnn._linear_pointwise
    gated = product(inputs, gate.weight, gate.bias, name, [], algorithm)
    return cast(torch.Tensor, down(product.binary(inputs, gated, up.weight, up.bias, "mul")))


def _norm(weight: torch.Tensor, epsilon: float, inputs: torch.Tensor) -> torch.Tensor:
    """weight · x / √(mean(x²) + ε), computed in float32.

    Batch normalization divides each of its channels by a square root that is given in float32. Here a channel is one
    token, and its variance is the token's mean square.
    """
    rows = inputs.reshape(1, -1, inputs.shape[-1])
    squares = torch.linalg.vector_norm(rows[0], dim=-1, dtype=torch.float32).square_().div_(inputs.shape[-1])
    scaled = functional.batch_norm(rows, torch.zeros_like(squares), squares, training=False, eps=epsilon)
    return weight * scaled.view_as(inputs)


def _activation(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[str, str] | None:
    """The name of an activation in oneDNN, and its algorithm there."""
    numbers = torch.linspace(-8, 8, 257)
    for known, name, algorithm in _ACTIVATIONS:
        if torch.allclose(function(numbers), known(numbers), rtol=1e-6, atol=1e-6):
            return name, algorithm
    return None


@torch.inference_mode()
def _agrees(layer: nn.Module, fast: Callable[[torch.Tensor], torch.Tensor]) -> bool:
    weight = next(layer.parameters())
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 5, weight.shape[-1], generator=generator).to(weight.dtype)
    expected = layer(inputs)
    tolerance = 1e-5 if weight.dtype == torch.float32 else 2e-2
    try:
        found = fast(inputs)
    except RuntimeError:
        return False
    return bool((found - expected).abs().max() <= tolerance * (1e-3 + expected.abs().max()))


def _has_kernel() -> bool:
    return bool(torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"))
