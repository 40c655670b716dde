"""A causal language model, with a Q-PEFT adapter or without, called with batches of pairs."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.qpeft.cached_passages import CachedPassages, read_passages
from pyserini_qpeft.qpeft.likelihood import QueryLikelihood, query_likelihood
from pyserini_qpeft.scoring.batch import Batch, instruction_index
from pyserini_qpeft.scoring.grouped_attention import grouped_attention


class PairModel:
    """Calls a model the same way whether it has a Q-PEFT adapter or not. It changes nothing in the model.

    Args:
        model: A causal language model, or a `PeftModel` over one.

    Attributes:
        adapter: The settings of the active Q-PEFT adapter, or None.
        device: The device of the model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.adapter = active_adapter(model)
        self.device: torch.device = model.get_input_embeddings().weight.device

    @property
    def causal_model(self) -> Any:
        """The language model inside the Q-PEFT adapter; a LoRA stays around it."""
        return self.model if self.adapter is None else self.model.base_model.model

    @property
    def adapter_disabled(self) -> bool:
        """Whether the adapter is switched off, as in `with model.disable_adapter()`."""
        return self.adapter is not None and bool(self.model.base_model.qpeft_layer.disable_adapters)

    def likelihood(self, batch: Batch, cached: CachedPassages | None = None) -> QueryLikelihood:
        """One forward pass.

        Args:
            batch: Keyword arguments that `collate` made, on the model's device.
            cached: Key-values of the passages, if the batch begins after them.
        """
        if cached is not None and self.device.type == "cpu" and not torch.is_grad_enabled():
            with grouped_attention():
                return self._likelihood(batch, cached)
        return self._likelihood(batch, cached)

    @torch.no_grad()
    def read_passages(self, ids: npt.NDArray[np.int64], instruction: slice) -> torch.Tensor:
        """Key-values of passages.

        Args:
            ids: Token ids `[batch, length]` of instruction and passage, padded on the right.
            instruction: The positions of the instruction in each row.

        Returns:
            `[layers, 2, batch, heads, length, width]`, in the model's dtype. Not made in inference mode, so that
            training may use them.
        """
        input_ids = torch.from_numpy(ids).to(self.device)
        if self.adapter is None:
            return read_passages(self.model, input_ids=input_ids)
        index = None
        if self.adapter.instruction_mode == "soft":
            index = torch.from_numpy(instruction_index(ids.shape, instruction)).to(self.device)
        states: torch.Tensor = self.model.base_model.read_passages(input_ids, index)
        return states

    def _likelihood(self, batch: Batch, cached: CachedPassages | None) -> QueryLikelihood:
        if self.adapter is None:
            return query_likelihood(self.model, **batch, cached=cached)
        likelihood: QueryLikelihood = self.model(**batch, cached=cached)
        return likelihood
