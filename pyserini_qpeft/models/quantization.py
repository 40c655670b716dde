"""Base models in fewer bits: smaller, faster on some machines, with slightly different scores."""

import importlib.util
import logging
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import Quantization
from pyserini_qpeft.models.device import cpu_has_amx

logger = logging.getLogger(__name__)

_PACKAGES = {"int8": "torchao", "8bit": "bitsandbytes", "4bit": "bitsandbytes"}


def quantization_options(name: Quantization, device: torch.device) -> dict[str, Any]:
    """The keywords of `from_pretrained` that load a base model in fewer bits.

    Args:
        name: "int8" computes linear layers in 8-bit integers, for which many CPUs have instructions (torchao). On a CPU
            with AMX, bfloat16 is three times as fast (benchmarks/README.md), and a warning says so. "8bit"
            and "4bit" store weights in 8 or 4 bits (bitsandbytes), for models that a GPU could not hold otherwise.
            Embeddings and output layer keep their dtype.
        device: The device of the model.

    Returns:
        `quantization_config` and `device_map`.

    Raises:
        QPeftError: The package that does it is not installed.
    """
    package = _PACKAGES[name]
    if importlib.util.find_spec(package) is None:
        raise QPeftError(f"quantize={name!r} needs {package}: pip install 'pyserini-qpeft[quantized]'.")
    if name == "int8" and device.type == "cpu" and cpu_has_amx():
        logger.warning("int8 is slower than bfloat16 on this processor: leave out quantize to be faster.")
    return {"quantization_config": _config(name), "device_map": {"": device}}


def _config(name: Quantization) -> Any:
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if name == "int8":
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig

        return TorchAoConfig(Int8DynamicActivationInt8WeightConfig())
    return BitsAndBytesConfig(load_in_8bit=name == "8bit", load_in_4bit=name == "4bit")
