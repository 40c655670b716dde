"""torch.compile where it can be had."""

import os
import shutil
import sys
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError


def compile_body(model: Any, device: torch.device) -> None:
    """Compiles a causal model's body, for shapes of any size, in place: whoever uses the model uses it compiled.

    The work is done when it is first called. The output layer stays as it is: it sees the scored places alone, which
    are a different number every time.

    Raises:
        QPeftError: If the device is a CPU and there is no C++ compiler, which torch needs there.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise QPeftError(f"compiling for a CPU needs the C++ compiler {compiler}: install it, or do not compile.")
    model.get_decoder().compile(dynamic=True)
