"""The machine on which the figures were measured, and how fast it multiplies matrices."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.clock import seconds_now

_PACKAGES = ("torch", "transformers", "peft", "sentence-transformers", "rank-llm", "rerankers", "llama-cpp-python")
_SHAPES = ((4096, 1024, 3072), (4096, 2048, 2048), (2048, 4096, 4096))
_GPU_SHAPES = ((8192, 4096, 4096), (8192, 8192, 8192), (16384, 4096, 11008))


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and its packages.

    Attributes:
        processor: Name of the processor.
        cores: Number of cores that this process may use.
        threads: Number of threads that torch uses.
        gpu: Name of the GPU, if one is used.
        packages: Versions of the packages that are compared.
    """

    processor: str
    cores: int
    threads: int
    gpu: str | None
    packages: dict[str, str]

    @classmethod
    def this(cls, device: str) -> "Machine":
        """Describes the machine that this process runs on."""
        gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
        return cls(_processor(), _cores(), torch.get_num_threads(), gpu, _packages())


class PeakMeter:
    """Measures the highest number of operations per second of `torch.nn.functional.linear` in one dtype.

    Args:
        dtype: Such as `torch.bfloat16`.
        device: The device.
        small: Measure one small shape only, which is quick.
    """

    def __init__(self, dtype: torch.dtype, device: str, *, small: bool = False) -> None:
        shapes = ((512, 512, 512),) if small else _GPU_SHAPES if device.startswith("cuda") else _SHAPES
        self._device = device
        self._products = [
            (
                torch.randn(rows, inner, dtype=dtype, device=device),
                torch.randn(columns, inner, dtype=dtype, device=device),
            )
            for rows, inner, columns in shapes
        ]

    @torch.inference_mode()
    def measure(self) -> float:
        """Returns the operations per second of the fastest of several matrix products."""
        return max(self._speed(*product) for product in self._products for _ in range(3))

    def _speed(self, inputs: torch.Tensor, weight: torch.Tensor) -> float:
        start = seconds_now()
        functional.linear(inputs, weight)
        if self._device.startswith("cuda"):
            torch.cuda.synchronize()
        return 2 * inputs.shape[0] * weight.numel() / (seconds_now() - start)


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
