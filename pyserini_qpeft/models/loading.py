"""From what a user names (a folder, a hub id, nothing at all) to a model and its tokenizer."""

import warnings
from pathlib import Path
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.models.quantization import quantization_options

SHIPPED = Path(__file__).parents[1] / "resources"
SHIPPED_MODEL = SHIPPED / "model"
SHIPPED_ADAPTERS = SHIPPED / "adapters"
DEFAULT_ADAPTER = "retrieval"
"""The shipped adapter that goes with the shipped model."""


def load_model(config: ModelConfig, **model_kwargs: Any) -> tuple[Any, Any]:
    """Loads a base model, frozen and in evaluation mode, and the adapter on it.

    Args:
        config: What to load, and how. Without a dtype: bfloat16 on a processor with units for it, else the
            checkpoint's own dtype on a GPU and float32 on a CPU.
        **model_kwargs: Go to `AutoModelForCausalLM.from_pretrained`: `quantization_config`, `attn_implementation` …

    Returns:
        The model (a `PeftModel` if it has an adapter) and its tokenizer.

    Raises:
        QPeftError: If something named is not there, is not what it should be, or does not fit together.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if config.model is None and not (SHIPPED_MODEL / "config.json").is_file():
        raise QPeftError("this installation carries no model: name one (model=…, or --model on the command line).")
    name = _checked(str(SHIPPED_MODEL if config.model is None else config.model), "model", ["config.json"])
    adapter = _adapter(config)
    add_on = None if adapter is None else _adapter_name(adapter)
    where = torch_device(config.device)
    options = {"trust_remote_code": config.trust_remote_code}
    if config.quantize is not None and "quantization_config" in model_kwargs:
        raise QPeftError("quantize and quantization_config say the same thing: give one of them.")
    try:
        if config.quantize is not None:
            model_kwargs |= quantization_options(config.quantize, where)
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        base, found = AutoModelForCausalLM.from_pretrained(
            name,
            dtype=_dtype(config.dtype, where),
            use_safetensors=True,
            output_loading_info=True,
            **options,
            **model_kwargs,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise QPeftError(f"cannot load {name!r} as a causal language model: {_first_line(error)}") from error
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise QPeftError(
            f"{name!r} is no causal language model: it has no weights for {missing[0]} ({len(missing)} are missing in "
            "all), and an encoder cannot score a query."
        )
    if "quantization_config" not in model_kwargs and "device_map" not in model_kwargs:
        base = base.to(where)
    loaded = base if add_on is None else _with_adapter(base, add_on)
    return loaded.requires_grad_(False).eval(), tokenizer


def _adapter(config: ModelConfig) -> str | None:
    if config.adapter is None and config.model is None:
        return DEFAULT_ADAPTER
    return None if config.adapter == NO_ADAPTER else config.adapter


def torch_device(name: str | None) -> torch.device:
    """The device of that name; without one, the first GPU or else the CPU.

    Raises:
        QPeftError: If torch knows no such device, or this machine has none.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise QPeftError(f"unknown or absent device {name!r}: try 'cpu', or 'cuda' on a machine with a GPU.") from error
    return device


def _with_adapter(base: Any, adapter: str) -> Any:
    from peft import PeftConfig, PeftModel

    from pyserini_qpeft.qpeft import QPeftConfig

    try:
        with warnings.catch_warnings():
            # peft still asks transformers by a name that is to go; nothing that a user could mend.
            warnings.simplefilter("ignore", FutureWarning)
            config = PeftConfig.from_pretrained(adapter)
            if isinstance(config, QPeftConfig) and config.lora_folder:
                base = PeftModel.from_pretrained(base, adapter, subfolder=config.lora_folder)
            return PeftModel.from_pretrained(base, adapter)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise QPeftError(f"cannot load the adapter {adapter!r}: {_first_line(error)}") from error


def _adapter_name(adapter: str) -> str:
    shipped = SHIPPED_ADAPTERS / adapter
    name = str(shipped) if shipped.is_dir() and not Path(adapter).is_dir() else adapter
    return _checked(name, "PEFT adapter", ["adapter_config.json", "adapter_model.safetensors"])


def _checked(name: str, kind: str, needed: list[str]) -> str:
    """The name, if it can be a hub id or is a folder that holds what is needed."""
    folder = Path(name)
    if folder.is_dir():
        for file in needed:
            if not (folder / file).is_file():
                raise QPeftError(f"the folder {name!r} has no {file}: it is not a saved {kind}.")
    elif folder.exists() or folder.is_absolute() or name.count("/") > 1 or name.startswith("."):
        raise QPeftError(f"there is no folder {name!r} to load a {kind} from.")
    return name


def _dtype(dtype: str | None, device: torch.device) -> str | torch.dtype:
    if dtype is not None:
        named = getattr(torch, dtype, None)
        if not isinstance(named, torch.dtype) or not named.is_floating_point:
            raise QPeftError(f"unknown dtype {dtype!r}: use float32, bfloat16 or float16.")
        return named
    if device.type != "cpu":
        return "auto"
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
