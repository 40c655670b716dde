"""Where a model keeps its Q-PEFT adapters, in the form that peft's bookkeeping knows."""

from typing import Any, NoReturn

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.prompt import QueryDependentPrompt


class QPeftLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """Holds one `QueryDependentPrompt` for each adapter name.

    It replaces no layer of the base model; being a `BaseTunerLayer`, it takes part in peft's status, in
    `disable_adapter()` and in what is trainable.
    """

    adapter_layer_names = ("qpeft_prompt",)
    other_param_names = ()

    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.qpeft_prompt = nn.ModuleDict()
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        # In a list, so that torch does not take the base model's embeddings for a part of the adapter.
        self._embeddings = [embeddings]

    def get_base_layer(self) -> nn.Module:
        """The base model's input embeddings; peft reads device and dtype off them."""
        return self._embeddings[0]

    def add(self, adapter_name: str, config: QPeftConfig) -> None:
        """Makes the prompt of a new adapter, on the device of the base model's embeddings."""
        embeddings = self.get_base_layer()
        prompt = QueryDependentPrompt(config, embeddings)
        # peft moves only layers that it puts around those of the base model.
        devices = {weight.device for module in (embeddings, prompt) for weight in module.parameters()}
        if torch.device("meta") not in devices:
            prompt.to(next(embeddings.parameters()).device)
        self.qpeft_prompt[adapter_name] = prompt

    def merge(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses: there are no base weights that hints could be merged into."""
        raise QPeftError("a Q-PEFT adapter cannot be merged: its hints depend on the query and the passage.")

    unmerge = merge
