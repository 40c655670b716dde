"""The device a model runs on, and the dtype that is best there."""

import torch

from pyserini_qpeft.errors import QPeftError

_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")
_LIMITED_KERNELS = ("DEFAULT", "NO AVX", "AVX2")


def torch_device(name: str | None) -> torch.device:
    """The device of a name; None is the first GPU, or the CPU if there is none.

    Raises:
        QPeftError: torch does not know the device, or this machine does not have it.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise QPeftError(f"unknown or absent device {name!r}: try 'cpu', or 'cuda' on a machine with a GPU.") from error
    return device


def torch_dtype(name: str | None, device: torch.device, *, from_gguf: bool = False) -> str | torch.dtype:
    """The dtype to load a model in.

    Args:
        name: One of `DTYPES`; None chooses the best of the device. On a CPU that is bfloat16 if the CPU multiplies it
            in hardware, else float32. On a GPU it is the checkpoint's own dtype, or bfloat16 for a GGUF file.
        device: The device.
        from_gguf: Whether the model comes from a GGUF file, whose own dtype is no dtype of torch.

    Returns:
        A dtype, or "auto" for the checkpoint's own.
    """
    if name is not None:
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type != "cpu":
        return torch.bfloat16 if from_gguf else "auto"
    return torch.bfloat16 if cpu_multiplies_bfloat16() else torch.float32


def cpu_multiplies_bfloat16() -> bool:
    """Whether this machine's CPU has units for bfloat16 products: AMX, or `avx512_bf16` (Zen 4, Cooper Lake).

    Elsewhere bfloat16 is slower than float32. With torch's kernels limited (`ATEN_CPU_CAPABILITY`) it fails.
    """
    if torch.backends.cpu.get_cpu_capability() in _LIMITED_KERNELS:
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(unit, False) for unit in _BFLOAT16_UNITS)
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def cpu_has_amx() -> bool:
    """Whether this machine's CPU has AMX units, whose bfloat16 products are many times as fast as float32 ones."""
    return bool(torch.cpu._is_amx_tile_supported())
