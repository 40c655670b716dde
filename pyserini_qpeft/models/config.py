"""The model that scores, and how it is loaded."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from pyserini_qpeft.errors import QPeftError, did_you_mean

Quantization = Literal["int8", "8bit", "4bit"]

DTYPES = ("float32", "bfloat16", "float16")

NO_ADAPTER = "none"
"""The name of an adapter that means: no adapter, the bare model."""


@dataclass(frozen=True)
class ModelConfig:
    """A base model, the adapter on it, and how both are loaded.

    Attributes:
        model: Name of a model (`qpeft models` lists them), hub id or folder of a causal language model, GGUF file, or
            `hub-id:file.gguf`; None is the shipped model.
        adapter: Hub id or folder of an adapter, or the name of one that comes with the model; "none" is the bare
            model. None is the default adapter of a model that is given by its name, and the bare model for any other.
        device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU if there is none.
        dtype: "float32", "bfloat16" or "float16"; None is the best of the device: bfloat16 on a CPU that
            multiplies it in hardware, float32 on any other CPU, and the checkpoint's own dtype on a GPU.
        quantize: Fewer bits for the base model's weights: "int8" (torchao), "8bit" or "4bit" (bitsandbytes).
        trust_remote_code: Whether transformers may run code that comes with the model.

    Raises:
        QPeftError: `dtype` or `quantize` is not one of these.
    """

    model: str | None = field(
        default=None,
        metadata={
            "help": "name (see qpeft models), hub id or folder of a causal language model, or a GGUF file "
            "(default: the shipped model)"
        },
    )
    adapter: str | None = field(
        default=None,
        metadata={
            "help": "hub id or folder of an adapter, or the name of one that comes with the model; 'none' is the bare "
            "model (default: the model's own, if it has one)"
        },
    )
    device: str | None = field(
        default=None, metadata={"help": "cpu, cuda:0 and so on (default: the first GPU if there is one, else the CPU)"}
    )
    dtype: str | None = field(
        default=None, metadata={"help": "float32, bfloat16 or float16 (default: chosen for the device)"}
    )
    quantize: Quantization | None = field(
        default=None,
        metadata={
            "help": "load the base model in fewer bits: int8 (torchao) can be faster on processors without bfloat16 "
            "products, and is slower on those with AMX; 8bit and 4bit "
            "(bitsandbytes) save GPU memory; scores change a little"
        },
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model"})

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise QPeftError(
                f"unknown dtype {self.dtype!r}: use {', '.join(DTYPES[:-1])} or {DTYPES[-1]}."
                f"{did_you_mean(self.dtype, DTYPES)}"
            )
        if self.quantize is not None and self.quantize not in get_args(Quantization):
            known = get_args(Quantization)
            raise QPeftError(
                f"quantize must be one of {', '.join(known)}, not {self.quantize!r}."
                f"{did_you_mean(self.quantize, known)}"
            )
