"""The dtype that is best for a device."""

import pytest
import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.device import cpu_multiplies_bfloat16, torch_device, torch_dtype

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": True}, True),  # Zen 4, Cooper Lake
        ({"avx512_f": True, "avx512_bf16": False}, False),  # Skylake, Ice Lake
        ({"avx2": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_bfloat16_is_chosen_where_the_cpu_multiplies_it(
    capabilities: dict[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert cpu_multiplies_bfloat16() is expected
    assert torch_dtype(None, CPU) == (torch.bfloat16 if expected else torch.float32)


@pytest.mark.parametrize("kernels", ["AVX2", "DEFAULT"])
def test_bfloat16_is_not_chosen_where_torchs_kernels_are_limited(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True, "avx512_bf16": True})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kernels)
    assert torch_dtype(None, CPU) == torch.float32


def test_this_cpu_is_seen_as_numpy_sees_it() -> None:
    from numpy._core._multiarray_umath import __cpu_features__ as features

    if features.get("AVX512BF16", False) and torch.backends.cpu.get_cpu_capability() == "AVX512":
        assert cpu_multiplies_bfloat16()


def test_a_named_dtype_is_taken_on_every_device() -> None:
    for name in ("float32", "bfloat16", "float16"):
        assert torch_dtype(name, CPU) == torch_dtype(name, GPU) == getattr(torch, name)


def test_on_a_gpu_the_checkpoint_decides_and_a_gguf_file_is_computed_in_bfloat16() -> None:
    assert torch_dtype(None, GPU) == "auto"
    assert torch_dtype(None, GPU, from_gguf=True) == torch.bfloat16


@pytest.mark.parametrize("name", ["float8_e4m3fn", "int8", "float64", "no_such", "nn", ""])
def test_a_dtype_that_cannot_work_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(QPeftError, match="use float32, bfloat16 or float16"):
        ModelConfig(dtype=name)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(QPeftError, match="unknown or absent device 'abacus'"):
        torch_device("abacus")
