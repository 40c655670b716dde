"""The environment variables of worker processes."""

import os
import sys
from collections.abc import Mapping

from pyserini_qpeft.service.config import TOKEN_VARIABLE

_DEFAULTS = {
    # An idle OpenMP thread looks for work in a loop before it sleeps, by default for some 10 ms, and keeps a core from
    # the server and from the other threads. Between the operators of one forward pass it needs less than 0.1 ms.
    "GOMP_SPINCOUNT": "2000",
    # oneDNN compiles code for each new shape of a bfloat16 matrix product and keeps it, by default for 1,024 shapes.
    # Each takes 1 to 2 MB, and the shapes of batches are many.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256",
}
_SAME = {"GOMP_SPINCOUNT": "OMP_WAIT_POLICY"}
"""A variable by which users set the same thing."""


def worker_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a worker process: those of the server, without its token, and settings of native libraries.

    A setting that the server's own environment has is kept.

    Args:
        environment: The variables of the server.
    """
    given = {name: value for name, value in environment.items() if name != TOKEN_VARIABLE}
    settings = {name: value for name, value in _DEFAULTS.items() if _SAME.get(name) not in given}
    return {**settings, **given, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
