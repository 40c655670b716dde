"""Compiles a model with torch.compile."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

import torch

from pyserini_qpeft.errors import QPeftError


def compile_model(model: Any, device: torch.device, trial: Callable[[], object]) -> None:
    """Compiles the layers of a causal language model in place, for inputs of any size.

    The output layer is not compiled: it gets only the positions that are scored, whose number always differs.

    Args:
        model: The causal language model. Everything that uses it then uses the compiled layers.
        device: Its device.
        trial: Scores some pairs with the model. It is called before compiling, so that checks of the model itself are
            not compiled, and after it, so that errors of the compiler show up here.

    Raises:
        QPeftError: If the device is a CPU and the C++ compiler that torch needs there is missing, or if torch fails.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise QPeftError(f"compiling for a CPU needs the C++ compiler {compiler}: install it, or do not compile.")
    trial()
    model.get_decoder().compile(dynamic=True)
    try:
        trial()
    except RuntimeError as error:
        raise QPeftError(f"this model cannot be compiled here: {str(error).strip().splitlines()[0]}") from error
