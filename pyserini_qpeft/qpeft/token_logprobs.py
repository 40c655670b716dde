"""Log-probabilities of tokens from logits, with gradients, in little memory.

torch's own functions keep a float32 tensor of the size of the logits for each step of the computation. With a large
vocabulary most of the time then goes into memory.
"""

from typing import Any

import torch

_BLOCK = 16
"""Rows of logits that are computed at a time: with a vocabulary of 50,000 they fit into a processor's cache."""


class TokenLogprobs(torch.autograd.Function):
    """log softmax(logits)[ids], computed in float32."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """From logits `[tokens, vocabulary]` and ids, int64 `[tokens]`, to float32 `[tokens]`."""
        totals = torch.cat([block.float().logsumexp(1) for block in logits.split(_BLOCK)])
        ctx.save_for_backward(logits, ids, totals)
        return logits.gather(1, ids[:, None])[:, 0].float() - totals

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of the logits, (1[id] - softmax) · gradient."""
        logits, ids, totals = ctx.saved_tensors
        wanted = torch.empty_like(logits)
        blocks = (each.split(_BLOCK) for each in (wanted, logits, totals[:, None], gradient[:, None]))
        for out, block, total, scale in zip(*blocks, strict=True):
            out.copy_(block.float().sub_(total).exp_().mul_(-scale))
        return wanted.scatter_add_(1, ids[:, None], gradient[:, None].to(wanted.dtype)), None
