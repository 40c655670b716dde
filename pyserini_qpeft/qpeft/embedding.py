"""The base model's input embeddings as a table of vectors."""

from typing import cast

import torch
from torch import nn


def embedding_rows(embeddings: nn.Module, ids: torch.Tensor, width: int) -> torch.Tensor:
    """The embeddings of some tokens, through the module's call: some models scale in it.

    Args:
        embeddings: The base model's input embeddings.
        ids: Token ids, int64 `[n]`.
        width: Width of the model.

    Returns:
        float32 `[n, width]`; without values on the meta device, where peft fills in the weights later.
    """
    device = cast(torch.Tensor, embeddings.weight).device
    if device.type == "meta" or torch.empty(0).device.type == "meta":
        return torch.empty(len(ids), width)
    with torch.no_grad():
        return torch.cat([embeddings(block.to(device)).float() for block in ids.split(16384)]).clone()  # type: ignore[no-untyped-call]
