"""The thin part between peft and the method: a tuner that replaces no layer, and composes the prompt in `forward`.

`PeftModelForCausalLM.forward` hands every keyword it does not know to its tuner, so a batch of pairs goes through an
unmodified peft. The overrides below are those where peft's defaults look only at the base model's own layers.
"""

from contextlib import nullcontext
from typing import Any, cast

import torch
from accelerate import init_empty_weights
from peft.tuners.tuners_utils import BaseTuner, cast_adapter_dtype

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.cached_passages import CachedPassages, read_passages
from pyserini_qpeft.qpeft.layer import QPeftLayer
from pyserini_qpeft.qpeft.likelihood import QueryLikelihood, query_likelihood
from pyserini_qpeft.qpeft.packing import Packing
from pyserini_qpeft.qpeft.prompt import QueryDependentPrompt

NO_HINT = -1
"""In `hint_index`: no hint stands here."""
HINTS_LABEL = -2
"""In `hint_index`: the words around the hints stand here."""


class QPeftModel(BaseTuner):  # type: ignore[misc]
    """A frozen base model, plain or under a LoRA, with Q-PEFT adapters beside it."""

    prefix = "qpeft_"
    tuner_layer_cls = QPeftLayer
    qpeft_layer: Any  # a QPeftLayer, of whose peft half mypy sees nothing
    target_module_mapping: dict[str, Any] = {}  # noqa: RUF012 (peft's own declaration)
    # peft then refuses `inject_adapter_in_model`, which has no place for a module beside the base model.
    uses_shared_state = True

    def __init__(self, model: Any, peft_config: Any, adapter_name: str, **kwargs: Any) -> None:
        below = model.peft_config if hasattr(model, "peft_config") else None
        super().__init__(model, peft_config, adapter_name, **kwargs)
        if below is not None:
            # BaseTuner writes its own configuration over that of a LoRA underneath.
            model.peft_config = below

    def __getattr__(self, name: str) -> Any:
        if name == "peft_config":
            # Not that of a LoRA underneath, which the default look-up would find.
            raise AttributeError(name)
        return super().__getattr__(name)

    @property
    def prompt(self) -> QueryDependentPrompt:
        """The active adapter's trainable part."""
        return cast(QueryDependentPrompt, self.qpeft_layer.qpeft_prompt[self.active_adapters[0]])

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        hint_index: torch.Tensor | None = None,
        cached: CachedPassages | None = None,
        packing: Packing | None = None,
        **batch: Any,
    ) -> Any:
        """Scores a batch of pairs, or hands anything else (`generate`, say) to the base model.

        Args:
            input_ids: int64 `[batch, length]`, padded on the right, any id at the places of hints.
            hint_index: int64 `[batch, length]`, the number of the hint that stands at a place, counted over all hints
                of the batch, `HINTS_LABEL` at the words around them, `NO_HINT` elsewhere. Its presence marks a batch
                of pairs; `scoring.batch.collate` makes one.
            cached: What stands before `input_ids`, read by `read_passages` already.
            packing: Which pair stands where; without it each row is one pair.
            **batch: `instruction_index` alike, `target_mask`, and the inputs of the hint rule (`HintRule.inputs`).

        Returns:
            The pairs' likelihoods. With the adapter disabled, those of the plain prompt without hints.

        Raises:
            QPeftError: If pairs are packed while an adapter without a gate is disabled, or are not packed for an
                adapter with a gate.
        """
        if hint_index is None or input_ids is None:
            return self.model(input_ids=input_ids, **batch)
        # peft's wrapper fills these with None on the way.
        pairs = {name: value for name, value in batch.items() if value is not None}
        targets, bias = pairs["target_mask"], self._hint_bias(hint_index)
        if bias is not None and packing is None:
            raise QPeftError("an adapter with hint_gate needs packed pairs: collate(…, packed=True).")
        if self.qpeft_layer.disable_adapters:
            if bias is not None:
                return query_likelihood(self.model, input_ids, targets, None, cached, packing, bias)
            if packing is not None:
                raise QPeftError("the adapter is disabled: hints cannot be taken out of packed pairs.")
            return self._without_hints(input_ids, hint_index, targets, cached)
        embeds = self.compose(input_ids, hint_index, pairs)
        return query_likelihood(self.model, input_ids, targets, embeds, cached, packing, bias)

    def read_passages(self, input_ids: torch.Tensor, instruction_index: torch.Tensor | None = None) -> torch.Tensor:
        """Key-values of passages without hints, `CachedPassages.states`, a trained instruction in its place."""
        if instruction_index is None or self.qpeft_layer.disable_adapters:
            return read_passages(self.model, input_ids=input_ids)
        embeds = self._instructed(input_ids, instruction_index)
        return read_passages(self.model, inputs_embeds=embeds)

    def compose(
        self, input_ids: torch.Tensor, hint_index: torch.Tensor, pairs: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Input embeddings `[batch, length, width]` with hints, and a soft instruction, at their places."""
        embeddings, prompt = self.model.get_input_embeddings(), self.prompt
        embeds = self._instructed(input_ids, pairs.get("instruction_index"))
        if not prompt.rule.has_hints:
            return embeds
        hints = prompt.hints(pairs, embeddings)
        if not hints.shape[1]:
            return embeds
        if prompt.config.reference_settings:
            words = prompt.mapped(input_ids, embeddings).to(embeds.dtype)
            embeds = torch.where((hint_index == HINTS_LABEL)[..., None], words, embeds)
        places = hint_index >= 0
        return embeds.index_put((places,), hints.flatten(0, 1)[hint_index[places]].to(embeds.dtype))

    def _hint_bias(self, hint_index: torch.Tensor) -> torch.Tensor | None:
        """What is added to the attention that each place gets, float32 `[batch, length]`; None without a gate."""
        if self.prompt.config.hint_gate is None:
            return None
        # Not -inf: padding next to a hint would have nothing to attend to.
        gate = self.prompt.gate.new_tensor(-1e9) if self.qpeft_layer.disable_adapters else self.prompt.gate
        return torch.where(hint_index >= 0, gate, torch.zeros_like(gate))

    def _instructed(self, input_ids: torch.Tensor, instruction_index: torch.Tensor | None) -> torch.Tensor:
        """Input embeddings with the trained instruction, where there is one, at its place."""
        embeds = cast(torch.Tensor, self.model.get_input_embeddings()(input_ids))
        if instruction_index is None:
            return embeds
        vectors = self.prompt.instruction.to(embeds.dtype)[instruction_index.clamp(min=0)]
        return torch.where((instruction_index >= 0)[..., None], vectors, embeds)

    def _without_hints(
        self,
        input_ids: torch.Tensor,
        hint_index: torch.Tensor,
        target_mask: torch.Tensor,
        cached: CachedPassages | None,
    ) -> QueryLikelihood:
        # Places of hints and their label move behind the query, where they are padding.
        order = (hint_index != NO_HINT).to(torch.int8).argsort(dim=1, stable=True)
        return query_likelihood(self.model, input_ids.gather(1, order), target_mask.gather(1, order), cached=cached)

    def inject_adapter(self, model: Any, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        """Makes the adapter's prompt; called by peft for each adapter, new or loaded."""
        embeddings = model.get_input_embeddings()
        if "qpeft_layer" not in self._modules:
            self.qpeft_layer = QPeftLayer(embeddings)
        config = self.peft_config[adapter_name]
        config.fit_to(embeddings)
        if config.instruction_mode != "hard" and not config.instruction_ids:
            raise QPeftError("trained words need instruction_ids: the ids of the words that training starts from.")
        with init_empty_weights() if kwargs.get("low_cpu_mem_usage") else nullcontext():
            self.qpeft_layer.add(adapter_name, config)
        super().inject_adapter(model, adapter_name, *args, **kwargs)

    def set_adapter(self, adapter_name: Any, inference_mode: bool = False) -> None:
        """Makes an adapter the active one, and trainable unless `inference_mode`."""
        super().set_adapter(adapter_name, inference_mode=inference_mode)
        self.qpeft_layer.set_adapter(adapter_name, inference_mode=inference_mode)

    def delete_adapter(self, adapter_name: str) -> None:
        """Forgets an adapter."""
        super().delete_adapter(adapter_name)
        self.qpeft_layer.delete_adapter(adapter_name)
        self.active_adapter = self.qpeft_layer.active_adapters

    def set_requires_grad(self, adapter_names: Any, requires_grad: bool = True) -> None:
        """Makes adapters trainable, or not."""
        self.qpeft_layer.set_requires_grad(adapter_names, requires_grad)

    def _enable_adapter_layers(self, enabled: bool = True) -> None:
        # Not super(): it would disable a LoRA underneath too, and leave it trainable when enabled again.
        self.qpeft_layer.enable_adapters(enabled)

    def _cast_adapter_dtype(self, adapter_name: str, autocast_adapter_dtype: bool = True) -> None:
        cast_adapter_dtype(self.qpeft_layer, adapter_name, autocast_adapter_dtype)

    def _check_merge_allowed(self) -> None:
        self.qpeft_layer.merge()

    def _unload_and_optionally_merge(self, merge: bool = True, **kwargs: Any) -> Any:
        if merge:
            self.qpeft_layer.merge()
        return self.model

    def _prepare_adapter_config(self, peft_config: Any, model_config: Any) -> Any:
        return peft_config

    def _create_and_replace(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("Q-PEFT replaces no layer of the base model.")

    @classmethod
    def _get_adapter_state_dict(
        cls,
        model: Any,
        config: Any,
        adapter_name: str,
        state_dict: dict[str, Any],
        unwanted_adapter_names: Any,
    ) -> dict[str, Any]:
        mark = f"qpeft_layer.qpeft_prompt.{adapter_name}."
        return {name: weight for name, weight in state_dict.items() if mark in name}

    @classmethod
    def _remove_adapter_name_from_key(cls, key: str, adapter_name: str) -> str:
        return key.replace(f"qpeft_prompt.{adapter_name}.", "qpeft_prompt.", 1)
