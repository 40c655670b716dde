"""What the key-values of a passage depend on besides its tokens, as a short hash."""

import hashlib
from typing import Any

import torch
from torch import nn

from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.models.weights import plain_weight

_SAMPLED = 4096


def model_fingerprint(model: nn.Module) -> str:
    """A hash of everything but its tokens that a passage's key-values depend on: weights, dtype, trained instruction.

    The weights that make hints are left out, since hints stand after the passage. So the bare model and all adapters
    that leave the reading of a passage as it is have the same fingerprint; an adapter with a LoRA has another.

    Of each weight up to 4,096 numbers at even distances are read, so that a large model takes little time.

    Returns:
        24 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=12)
    config: Any = model.config
    digest.update(config.to_json_string(use_diff=True).encode())
    adapter = active_adapter(model)
    soft = adapter is not None and adapter.instruction_mode == "soft"
    for name, weight in sorted(model.named_parameters()):
        if "qpeft_" in name and not (name.endswith(".instruction") and soft):
            continue
        digest.update(f"{name.rpartition('model.')[2]} {tuple(weight.shape)} {weight.dtype}".encode())
        if weight.is_meta:  # kept on disk by accelerate, and read only when it is used
            continue
        flat = plain_weight(weight).flatten()
        sample = flat[:: max(1, len(flat) // _SAMPLED)]
        numbers = sample.float() if sample.is_floating_point() else sample.contiguous().view(torch.uint8)
        digest.update(numbers.cpu().numpy().tobytes())
    return digest.hexdigest()
