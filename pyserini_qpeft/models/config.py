"""Which model scores, and how it is loaded."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from pyserini_qpeft.errors import QPeftError

Quantization = Literal["int8", "8bit", "4bit"]

NO_ADAPTER = "none"
"""The adapter's name that stands for the bare model."""


@dataclass(frozen=True)
class ModelConfig:
    """A base model, the adapter on it, and how both are loaded.

    Attributes:
        model: Hub id or folder of a causal language model; None is the shipped model.
        adapter: Hub id, folder or shipped name of an adapter; "none" is the bare model. None is the shipped adapter
            for the shipped model, and no adapter for any other.
        device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU where there is none.
        dtype: Such as "bfloat16"; None is the best of the device.
        quantize: Fewer bits for the base model's weights: "int8" (torchao), "8bit" or "4bit" (bitsandbytes).
        trust_remote_code: Whether transformers may run code that comes with the model.

    Raises:
        QPeftError: `quantize` has a value that does not exist.
    """

    model: str | None = field(
        default=None, metadata={"help": "hub id or folder of a causal language model; the shipped model if not given"}
    )
    adapter: str | None = field(
        default=None, metadata={"help": "hub id, folder or shipped name of an adapter; 'none' is the bare model"}
    )
    device: str | None = field(
        default=None, metadata={"help": "cpu, cuda:0 and so on; the first GPU if there is one, else the CPU"}
    )
    dtype: str | None = field(
        default=None, metadata={"help": "float32, bfloat16 or float16; the best of the device if not given"}
    )
    quantize: Quantization | None = field(
        default=None,
        metadata={
            "help": "load the base model in fewer bits: int8 (torchao) is faster on many processors; 8bit and 4bit "
            "(bitsandbytes) save GPU memory; scores change a little"
        },
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model"})

    def __post_init__(self) -> None:
        if self.quantize is not None and self.quantize not in get_args(Quantization):
            raise QPeftError(f"quantize must be one of {', '.join(get_args(Quantization))}, not {self.quantize!r}.")
