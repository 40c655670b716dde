"""The numbers of a model's weights, and a hash of all of them."""

import hashlib
from typing import Any

import torch


def plain_weight(weight: torch.Tensor) -> torch.Tensor:
    """A weight as a plain tensor. Some quantized weights have no numbers of their own and are dequantized."""
    return weight.detach() if type(weight.data) is torch.Tensor else weight.dequantize()


def weights_hash(model: Any) -> str:
    """A hash of the names, shapes, dtypes and numbers of all weights: 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)
    for name, weight in sorted(model.named_parameters()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        if weight.is_meta:  # kept on disk by accelerate, and read only when it is used
            continue
        digest.update(plain_weight(weight).contiguous().view(-1).view(torch.uint8).cpu().numpy())
    return digest.hexdigest()
