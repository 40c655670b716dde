"""Faster passes of two kinds of layers on a CPU: gated MLPs and RMS norms.

transformers writes both as several operators, and each of them goes through memory once. oneDNN computes the activation
and the product of a gated MLP together with the matrix products; a norm takes three passes in place of six.
"""

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable
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
    """Gives the gated MLPs and RMS norms of a model on a CPU a faster forward pass.

    A layer is changed only if both forward passes agree on random numbers. Weights and state stay as they are. Forward
    passes under `torch.compile`, on another device or with other dtypes are those of the layer itself. So are those
    with gradients, except for a norm whose weight is frozen. Gated MLPs are changed in bfloat16 only, where the
    activation takes a large share.

    Args:
        model: Any model; layers under a LoRA or with quantized weights are left alone.

    Returns:
        The number of layers that were changed.
    """
    fused = 0
    agreed: dict[Any, bool] = {}
    for layer in model.modules():
        fast = _fast_forward(layer) if _has_its_own_forward(layer) else None
        if fast is None:
            continue
        # Layers of one class, shape and settings agree alike: one of them is tried.
        settings = sorted((name, value) for name, value in vars(layer).items() if isinstance(value, int | float | str))
        kind = type(layer), *settings, *((weight.shape, weight.dtype) for weight in layer.parameters())
        if kind not in agreed:
            agreed[kind] = _agrees(layer, fast)
        if agreed[kind]:
            # A method, so that a copy of the layer computes with its own weights.
            layer.forward = MethodType(_where_it_applies(fast), layer)
            fused += 1
    return fused


def _has_its_own_forward(layer: nn.Module) -> bool:
    """Whether the forward pass of a layer is that of its class, and nobody has put another in its place."""
    given = vars(layer).get("forward")
    # An unpickled layer has its class's forward pass as an attribute.
    return given is None or getattr(given, "__func__", None) is type(layer).forward


def _where_it_applies(fast: Forward) -> Callable[..., Any]:
    """A forward pass that is `fast` if it applies to the layer and the inputs, and else that of the layer's class."""

    # Pickle stores a method by this name, which is that of the class's forward pass too.
    def forward(layer: Any, *inputs: Any, **named: Any) -> Any:
        own = torch.compiler.is_compiling() or len(inputs) != 1 or named
        if own or not _applies(layer, inputs[0]):
            return type(layer).forward(layer, *inputs, **named)
        if not torch.is_grad_enabled() or not _needs_gradient(layer, inputs[0]):
            return fast(layer, inputs[0])
        if _is_norm(layer) and not layer.weight.requires_grad:
            return _Norm.apply(inputs[0], layer.weight, _epsilon(layer))
        return type(layer).forward(layer, *inputs, **named)

    return forward


def _applies(layer: Any, inputs: torch.Tensor) -> bool:
    gated = hasattr(layer, "act_fn")
    # A LoRA may have been put around the projections since.
    if gated and not _is_gated(layer):
        return False
    weight = layer.gate_proj.weight if gated else layer.weight
    return _is_plain(weight) and _is_plain(inputs) and inputs.dtype == weight.dtype


def _fast_forward(layer: Any) -> Forward | None:
    if _is_norm(layer):
        return _norm_forward
    if not hasattr(layer, "act_fn") or not _is_gated(layer) or not _has_kernel():
        return None
    activation = _activation(layer.act_fn)
    return None if activation is None else _gated_forward(*activation)


def _gated_forward(name: str, algorithm: str) -> Forward:
    """The forward pass of a gated MLP, down(activation(gate(x)) · up(x)), with this activation of oneDNN."""

    def fast(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
        product, gate, up = torch.ops.mkldnn._linear_pointwise, layer.gate_proj, layer.up_proj
        gated = product(inputs, gate.weight, gate.bias, name, [], algorithm)
        return cast(torch.Tensor, layer.down_proj(product.binary(inputs, gated, up.weight, up.bias, "mul")))

    return fast


def _needs_gradient(layer: Any, inputs: torch.Tensor) -> bool:
    return inputs.requires_grad or any(weight.requires_grad for weight in layer.parameters())


class _Norm(torch.autograd.Function):
    """An RMS norm with a frozen weight, and its gradient by the inputs."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        squares = _mean_squares(inputs)
        ctx.save_for_backward(inputs, weight, squares)
        ctx.epsilon = epsilon
        return weight * _divided(inputs, squares, epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        # With r = 1 / √(mean(x²) + ε) and h = weight · gradient: r · h - x · r³ · mean(h · x).
        inputs, weight, squares = ctx.saved_tensors
        weighted = gradient * weight
        means = (weighted * inputs).mean(-1, keepdim=True, dtype=torch.float32)
        factors = means * (squares + ctx.epsilon).pow(-1.5).view_as(means)
        return _divided(weighted, squares, ctx.epsilon).addcmul_(inputs, factors.to(inputs.dtype), value=-1), None, None


def _norm_forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    """weight · x / √(mean(x²) + ε), computed in float32.

    Batch normalization divides each of its channels by a square root that is given in float32. Here a channel is one
    token, and its variance is the token's mean square.
    """
    return cast(torch.Tensor, layer.weight * _divided(inputs, _mean_squares(inputs), _epsilon(layer)))


def _mean_squares(inputs: torch.Tensor) -> torch.Tensor:
    """The mean square of each token, float32 `[tokens]`."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    squares: torch.Tensor = torch.linalg.vector_norm(rows, dim=-1, dtype=torch.float32).square_()
    return squares.div_(inputs.shape[-1])


def _divided(inputs: torch.Tensor, squares: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Each token divided by √(its mean square + ε)."""
    rows = inputs.reshape(1, -1, inputs.shape[-1])
    scaled = functional.batch_norm(rows, torch.zeros_like(squares), squares, training=False, eps=epsilon)
    return scaled.view_as(inputs)


def _is_norm(layer: Any) -> bool:
    weights = list(layer.parameters())
    named = type(layer).__name__.endswith("RMSNorm")
    return named and len(weights) == 1 and _is_plain(weights[0]) and isinstance(_epsilon(layer), float)


def _epsilon(layer: Any) -> Any:
    return getattr(layer, "variance_epsilon", getattr(layer, "eps", None))


def _is_gated(layer: Any) -> bool:
    linear = [getattr(layer, name, None) for name in _PROJECTIONS]
    return all(
        type(one) is nn.Linear
        and _is_plain(one.weight)
        and one.weight.dtype == torch.bfloat16
        # The fused product does not call the projections, and hooks would not run.
        and not (one._forward_hooks or one._forward_pre_hooks or "forward" in vars(one))
        for one in linear
    )


def _is_plain(tensor: torch.Tensor) -> bool:
    dtypes = (torch.bfloat16, torch.float32)
    return type(tensor.data) is torch.Tensor and tensor.device.type == "cpu" and tensor.dtype in dtypes


def _activation(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[str, str] | None:
    """The name of an activation in oneDNN, and its algorithm there; None for one that oneDNN does not have."""
    numbers = torch.linspace(-8, 8, 257, device="cpu")
    try:
        values = function(numbers)
        for known, name, algorithm in _ACTIVATIONS:
            if torch.allclose(values, known(numbers), rtol=1e-6, atol=1e-6):
                return name, algorithm
    except Exception:  # a model's own code, which may expect anything
        return None
    return None


@torch.inference_mode()
def _agrees(layer: Any, fast: Forward) -> bool:
    weight = next(layer.parameters())
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(3, 5, weight.shape[-1], generator=generator, device="cpu")
    tolerance = 1e-5 if weight.dtype == torch.float32 else 2e-2
    try:
        # Small numbers show another use of ε, and large ones a clamp.
        for scale in (1e-3, 1, 1e3):
            inputs = (scale * numbers).to(weight.dtype)
            # Not layer(…): hooks of the user would see these numbers.
            expected = type(layer).forward(layer, inputs)
            if not bool((fast(layer, inputs) - expected).abs().max() <= tolerance * expected.abs().max()):
                return False
    except Exception:  # a processor without these kernels, or a model's own code, which may take or return anything
        return False
    return True


def _has_kernel() -> bool:
    return bool(torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise"))
