"""From a `ModelConfig` to a model and its tokenizer."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import adapter_folder, with_adapter
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.files import check_model_folder, first_line
from pyserini_qpeft.models.registry import RESOURCES
from pyserini_qpeft.models.source import Source, find_source

SHIPPED_MODEL = RESOURCES / "model"


def load_model(config: ModelConfig, **model_kwargs: Any) -> tuple[Any, Any]:
    """Loads a base model, frozen and in evaluation mode, and the adapter on it.

    Args:
        config: What to load, and how.
        **model_kwargs: Go to `AutoModelForCausalLM.from_pretrained`: `quantization_config`, `attn_implementation` …

    Returns:
        The model (a `PeftModel` if it has an adapter) and its tokenizer.

    Raises:
        QPeftError: A model or adapter is not there, is damaged, or does not fit the other.
    """
    source = find_source(config.model)
    adapter = adapter_folder(config.adapter, source)
    name = config.adapter or (source.record.default_adapter if source.record else None)
    # Imported only now, so that a model that is not there is reported without the seconds that torch takes.
    from pyserini_qpeft.models.device import torch_device
    from pyserini_qpeft.models.quantization import quantization_options

    device = torch_device(config.device)
    if config.quantize is not None:
        if "quantization_config" in model_kwargs:
            raise QPeftError("quantize and quantization_config say the same thing: give one of them.")
        model_kwargs |= quantization_options(config.quantize, device)
    base, tokenizer = _load_base(source, config, device, model_kwargs)
    loaded = base if adapter is None else with_adapter(base, adapter, name)
    return loaded.requires_grad_(False).eval(), tokenizer


def _load_base(source: Source, config: ModelConfig, device: Any, model_kwargs: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from pyserini_qpeft.models.device import torch_dtype

    if Path(source.place).is_dir():
        check_model_folder(Path(source.place))
    dtype = config.dtype if config.dtype is not None or source.record is None else source.record.dtype
    options = {"trust_remote_code": config.trust_remote_code, "local_files_only": source.cached_only}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.place, **options)
        tokenizer("a text")  # some wrong values in its files are an error only now
        base, found = AutoModelForCausalLM.from_pretrained(
            source.place,
            dtype=torch_dtype(dtype, device, from_gguf=source.from_gguf),
            use_safetensors=True,
            output_loading_info=True,
            **{"ignore_mismatched_sizes": True, **options, **model_kwargs},
        )
    except QPeftError:
        raise
    except Exception as error:  # wrong values in the model's files can raise anything, deep inside transformers
        raise QPeftError(f"cannot load {source.name!r} as a causal language model: {first_line(error)}") from error
    if missing := sorted(found["missing_keys"]):
        raise QPeftError(
            f"{source.name!r} is not a causal language model: it has no weights for {missing[0]} ({len(missing)} are "
            "missing in all), and an encoder cannot score a query."
        )
    if mismatched := sorted(found["mismatched_keys"]):
        weight, stored, expected = mismatched[0]
        raise QPeftError(
            f"cannot load {source.name!r} as a causal language model: {weight} is {list(stored)} in its weights and "
            f"{list(expected)} by its config.json."
        )
    if _is_renamed(source, config):
        # peft writes this into an adapter's config: a folder in the cache or in this package would mean nothing there.
        base.name_or_path = base.config._name_or_path = source.name
    if "quantization_config" not in model_kwargs and "device_map" not in model_kwargs:
        base = base.to(device)
    return base, tokenizer


def _is_renamed(source: Source, config: ModelConfig) -> bool:
    named_folder = source.record is not None and source.record.folder is not None and config.model is not None
    return source.from_gguf or named_folder
