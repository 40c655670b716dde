"""torch.compile where it can be had."""

import os
import shutil
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError


def compile_body(model: Any, device: torch.device) -> None:
    """Compiles a causal model's body in place, when it is first called; shapes may vary.

    The output layer stays as it is: it sees the scored places alone, which are a different number every time.

    Raises:
        QPeftError: If the device is a CPU and there is no C++ compiler, which torch needs there.
    """
    compilers = [os.environ.get("CXX"), "g++", "clang++"]
    if device.type == "cpu" and not any(name and shutil.which(name) for name in compilers):
        raise QPeftError("compiling for a CPU needs a C++ compiler (g++ or clang++): install one, or do not compile.")
    model.get_decoder().compile(dynamic=True)
