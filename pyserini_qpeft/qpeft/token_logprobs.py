"""Log-probabilities of tokens from logits, with gradients, in little memory.

torch's own functions keep a float32 tensor of the size of the logits for each step of the computation. With a large
vocabulary most of the time then goes into memory.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

_BLOCK = {"cpu": 16}
"""Rows of logits that are computed at a time. On a CPU they fit into its cache, with a vocabulary of 50,000."""
_LARGE_BLOCK = 1024


class TokenLogprobs(torch.autograd.Function):
    """log softmax(logits)[ids], computed in float32."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """From logits `[tokens, vocabulary]` and ids, int64 `[tokens]`, to float32 `[tokens]`."""
        totals = torch.cat([logits[block].float().logsumexp(1) for block in _blocks(logits)])
        ctx.save_for_backward(logits, ids, totals)
        return logits.gather(1, ids[:, None])[:, 0].float() - totals

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of the logits, (1[id] - softmax) · gradient."""
        logits, ids, totals = ctx.saved_tensors
        wanted = torch.empty_like(logits)
        for block in _blocks(logits):
            softmax = logits[block].float().sub(totals[block, None]).exp_()
            softmax.scatter_add_(1, ids[block, None], softmax.new_full((len(softmax), 1), -1.0))
            wanted[block] = softmax.mul_(-gradient[block, None])
        return wanted, None


def _blocks(logits: torch.Tensor) -> Iterator[slice]:
    size = _BLOCK.get(logits.device.type, _LARGE_BLOCK)
    return (slice(start, start + size) for start in range(0, len(logits), size))
