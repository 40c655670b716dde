"""The key-values of one passage as a cache keeps them: in the model's dtype, or as 8-bit integers.

As integers, the numbers of one token in one head of one layer (keys and values apart) have a common scale: their
largest magnitude divided by 127. A number x is kept as q = round(x / scale) and comes back as q · scale, so that it is
off by at most scale / 2, which is 1/254 of that largest magnitude, and by the rounding of scale and result to their
dtype. The dtype of scales is float32, or bfloat16 for a model in bfloat16.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pyserini_qpeft.scoring.config import CacheDtype

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_LARGEST = 127


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Key-values of one passage.

    Attributes:
        states: `[layers, 2, heads, length, width]`, keys and values, in the model's dtype or int8.
        scales: `[layers, 2, heads, length, 1]`, bfloat16 or float32, what int8 `states` are multiplied by; None for
            other dtypes.
    """

    states: torch.Tensor
    scales: torch.Tensor | None = None

    @property
    def length(self) -> int:
        """The number of tokens."""
        return self.states.shape[-2]

    @property
    def bytes(self) -> int:
        """The memory that they take."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors().values())

    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors by name, as they are stored."""
        return {"states": self.states} | ({} if self.scales is None else {"scales": self.scales})

    def write(self, target: torch.Tensor) -> None:
        """Writes the key-values in the model's dtype into `target`, `[layers, 2, heads, length, width]`."""
        if self.scales is None:
            memory(target)[...] = memory(self.states)
        else:
            torch.mul(self.states, self.scales, out=target)


@dataclass(frozen=True, slots=True)
class KeyValueLayout:
    """What the key-values of all passages of one model have in common.

    Attributes:
        layers: Number of layers.
        heads: Key-value heads of a layer.
        width: Numbers of one head.
        dtype: The model's dtype.
        kept_as: "model" keeps this dtype, "int8" 8-bit integers.
    """

    layers: int
    heads: int
    width: int
    dtype: torch.dtype
    kept_as: CacheDtype = "model"

    @classmethod
    def of(cls, states: torch.Tensor, kept_as: CacheDtype = "model") -> "KeyValueLayout":
        """The layout of key-values `[layers, 2, batch, heads, length, width]` that a model gave."""
        layers, _, _, heads, _, width = states.shape
        return cls(layers, heads, width, states.dtype, kept_as)

    @property
    def bytes_per_token(self) -> int:
        """Bytes that the key-values of one token take."""
        width = self.width + self._scale_dtype.itemsize if self.kept_as == "int8" else self.width * self.dtype.itemsize
        return self.layers * 2 * self.heads * width

    @property
    def model_bytes_per_token(self) -> int:
        """Bytes that they take in a batch, where they have the model's dtype."""
        return self.layers * 2 * self.heads * self.width * self.dtype.itemsize

    @property
    def _scale_dtype(self) -> torch.dtype:
        # A product of two dtypes is slower, and float16 has too small a range.
        return torch.bfloat16 if self.dtype == torch.bfloat16 else torch.float32

    def keep(self, states: torch.Tensor) -> KeyValues:
        """A copy of the key-values `[layers, 2, heads, length, width]` of one passage, as a cache keeps them."""
        if self.kept_as == "model":
            return KeyValues(states.clone(memory_format=torch.contiguous_format))
        numbers = states.float()
        # Numbers that are not finite make a scale that is not finite, so that the score is not finite either.
        scales = (numbers.abs().amax(-1, keepdim=True) / _LARGEST).to(self._scale_dtype)
        divided = numbers / scales.float().clamp_min(torch.finfo(torch.float32).tiny)
        return KeyValues(divided.round_().clamp_(-_LARGEST, _LARGEST).to(torch.int8), scales)

    def recognise(self, tensors: Mapping[str, torch.Tensor], tokens: int) -> KeyValues | None:
        """The key-values of a passage of `tokens` tokens from stored tensors; None if these are something else."""
        shape = (self.layers, 2, self.heads, tokens, self.width)
        expected = {"states": (shape, self.dtype)}
        if self.kept_as == "int8":
            expected = {"states": (shape, torch.int8), "scales": ((*shape[:-1], 1), self._scale_dtype)}
        if {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()} != expected:
            return None
        return KeyValues(tensors["states"], tensors.get("scales"))


class BatchMemory:
    """Memory for the key-values of one batch after the other.

    New memory for each batch would cost more than the copies into it: the system clears new pages.
    """

    def __init__(self) -> None:
        self._memory: torch.Tensor | None = None

    def take(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """A tensor with any numbers in it, valid until the next call."""
        size = math.prod(shape)
        if self._memory is None or len(self._memory) < size:
            self._memory = None  # before there is more: both together may not fit
            self._memory = torch.empty(size, dtype=dtype, device=device)
        return self._memory[:size].view(shape)


def memory(tensor: torch.Tensor) -> Any:
    """A view to copy from and to: an array on a CPU, where NumPy copies small tensors faster than torch does."""
    if tensor.device.type != "cpu":
        return tensor
    return tensor.view(_INTEGERS[tensor.element_size()]).numpy()
