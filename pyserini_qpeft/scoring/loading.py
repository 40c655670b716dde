"""From what a user names (a folder, a hub id, nothing at all) to a model and its tokenizer."""

from pathlib import Path
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError

SHIPPED = Path(__file__).parents[1] / "resources"
SHIPPED_MODEL = SHIPPED / "model"
SHIPPED_ADAPTERS = SHIPPED / "adapters"


def load_model(
    model: str | Path | None,
    adapter: str | Path | None,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    trust_remote_code: bool = False,
    **model_kwargs: Any,
) -> tuple[Any, Any]:
    """Loads a base model, frozen and in evaluation mode, with an adapter where one is named.

    Args:
        model: A hub id or folder; None is the shipped model.
        adapter: A hub id or folder of any PEFT adapter, or the name of a shipped one ("retrieval", "attention"); None
            leaves the model bare.
        device: Such as "cpu" or "cuda:0"; the first GPU where there is one when not given.
        dtype: Such as "bfloat16"; when not given, bfloat16 on a processor with units for it, else the checkpoint's own
            on a GPU and float32 on a CPU.
        trust_remote_code: Lets transformers run code that comes with the model.
        **model_kwargs: Go to `AutoModelForCausalLM.from_pretrained`: `quantization_config`, `attn_implementation` …

    Returns:
        The model (a `PeftModel` where an adapter is named) and its tokenizer.

    Raises:
        QPeftError: If something named is not there, is not what it should be, or does not fit together.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = str(model) if model is not None else str(SHIPPED_MODEL)
    if model is None and not (SHIPPED_MODEL / "config.json").is_file():
        raise QPeftError("this installation carries no model: name one (model=…, or --model on the command line).")
    where = torch_device(device)
    options = {"trust_remote_code": trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        base = AutoModelForCausalLM.from_pretrained(
            name, dtype=_dtype(dtype, where), use_safetensors=True, **options, **model_kwargs
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise QPeftError(f"cannot load {name!r} as a causal language model: {_first_line(error)}") from error
    if "quantization_config" not in model_kwargs and "device_map" not in model_kwargs:
        base = base.to(where)
    loaded = base if adapter is None else _with_adapter(base, adapter)
    return loaded.requires_grad_(False).eval(), tokenizer


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


def _with_adapter(base: Any, adapter: str | Path) -> Any:
    from peft import PeftModel

    import pyserini_qpeft.qpeft  # noqa: F401 (registers the method with peft)

    shipped = SHIPPED_ADAPTERS / str(adapter)
    folder = Path(adapter) if Path(adapter).is_dir() else shipped if shipped.is_dir() else None
    if folder is not None:
        for needed in ("adapter_config.json", "adapter_model.safetensors"):
            if not (folder / needed).is_file():
                raise QPeftError(f"the adapter folder {str(folder)!r} has no {needed}: it is not a saved PEFT adapter.")
    try:
        return PeftModel.from_pretrained(base, str(folder or adapter))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise QPeftError(f"cannot load the adapter {str(adapter)!r}: {_first_line(error)}") from error


def _dtype(dtype: str | torch.dtype | None, device: torch.device) -> str | torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
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
