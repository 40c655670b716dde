"""Makes, saves and loads what is trained: a Q-PEFT adapter, a LoRA, or one above the other."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from torch import nn
from transformers import set_seed
from transformers.pytorch_utils import Conv1D

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.qpeft import PromptEncoder, QPeftConfig, QPeftModel
from pyserini_qpeft.scoring.passage_cache import why_not_cached
from pyserini_qpeft.training.adapter_config import AdapterConfig

LORA_FOLDER = "lora"


def make_adapter(base: Any, tokenizer: Any, config: AdapterConfig, seed: int) -> Any:
    """Puts a new adapter on a frozen base model.

    Args:
        base: The base model; its dropout is switched off, its weights stay as they are.
        tokenizer: Its tokenizer.
        config: What is to be trained.
        seed: Fixes the first weights.

    Returns:
        A `PeftModel` of which the adapter's weights alone are trainable, in float32.
    """
    set_seed(seed)
    switch_off_dropout(base)
    model = base
    if config.has_lora:
        layers = None if config.lora_layers is None else _last_layers(base, config.lora_layers)
        lora = LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=list(config.lora_targets) or (_linear_layers(base) if layers else "all-linear"),
            layers_to_transform=layers,
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(base, lora)
    if config.variant != "lora":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You are trying to modify a model with PEFT for a second time")
            prompt = _prompt_config(config)
            encoder = PromptEncoder(tokenizer, prompt.prompt_template, passage_tokens=1)
            trained = [encoder.suffix, encoder.question_label] if prompt.instruction_mode == "suffix" else []
            prompt.instruction_ids = np.concatenate(trained or [encoder.instruction]).tolist()
            model = get_peft_model(model, prompt)
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name or "qpeft_" in name)
    return model


def check_adapter(config: AdapterConfig) -> None:
    """Looks for mistakes before anything is loaded.

    Raises:
        QPeftError: If a setting has a value that does not exist.
    """
    if config.variant != "lora":
        _prompt_config(config)


def passages_are_frozen(model: Any) -> bool:
    """Whether nothing that is trained stands before a passage's end: it is then read the same in every step."""
    prompt = active_adapter(model)
    return (
        prompt is not None
        and lora_underneath(model) is None
        and prompt.instruction_mode != "soft"
        and why_not_cached(model, prompt) is None
    )


def _linear_layers(base: Any) -> list[str]:
    """The names of all linear layers but the output layer, since peft's "all-linear" leaves no choice of layers."""
    output = base.get_output_embeddings()
    layers = (name for name, one in base.named_modules() if isinstance(one, nn.Linear | Conv1D) and one is not output)
    return sorted({name.rpartition(".")[2] for name in layers})


def _last_layers(base: Any, count: int) -> list[int]:
    layers: int = base.config.num_hidden_layers
    if count > layers:
        raise QPeftError(f"lora_layers is {count}, and the model has {layers} layers.")
    return list(range(layers - count, layers))


def _prompt_config(config: AdapterConfig) -> QPeftConfig:
    chosen: dict[str, Any] = dict(config.prompt)
    if config.variant == "prompt-tuning":
        chosen = {"instruction_mode": "soft", **chosen, "variant": "none"}
    else:
        chosen["variant"] = config.variant
    return QPeftConfig(**chosen, lora_folder=LORA_FOLDER if config.lora else None)


def switch_off_dropout(base: nn.Module) -> None:
    """Sets every dropout of a base model to 0: a frozen model should score in training as it will afterwards."""
    for module in base.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)


def save_adapter(model: Any, folder: Path) -> None:
    """Saves the adapter, and a LoRA underneath in a folder of its own inside."""
    # The vocabulary is never trained, so peft need not look up the base model's on the hub.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    lora = lora_underneath(model)
    if lora is not None:
        lora.save_pretrained(str(folder / LORA_FOLDER), save_embedding_layers=False)


def load_weights(model: Any, folder: Path) -> None:
    """Puts weights that `save_adapter` saved back into the same adapter.

    Raises:
        QPeftError: If they do not fit.
    """
    _load(model, folder)
    lora = lora_underneath(model)
    if lora is not None:
        _load(lora, folder / LORA_FOLDER)


def lora_underneath(model: Any) -> Any:
    """The `PeftModel` of a LoRA under a Q-PEFT adapter, or None."""
    tuner = model.base_model
    return tuner.model if isinstance(tuner, QPeftModel) and isinstance(tuner.model, PeftModel) else None


def trainable(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _load(model: Any, folder: Path) -> None:
    result = set_peft_model_state_dict(model, load_file(folder / SAFETENSORS_WEIGHTS_NAME))
    missing = [name for name in result.missing_keys if "lora_" in name or "qpeft_" in name]
    own = [name for name in missing if ("qpeft_" in name) == isinstance(model.base_model, QPeftModel)]
    if own or result.unexpected_keys:
        raise QPeftError(f"the weights in {folder} do not fit this adapter: {(own or result.unexpected_keys)[0]}.")
