"""How torch's threads wait for each other; set before torch is loaded."""

import os
from collections.abc import MutableMapping

_ASKED_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def wait_without_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Makes threads that wait for others give their core back after some microseconds.

    OpenMP's threads otherwise keep a core busy for milliseconds at the end of each operator. If another program has the
    core of the thread that they wait for, two threads are then several times slower than one (benchmarks/README.md).

    Args:
        environment: The environment variables. Nothing changes if the user has set one of this kind.
    """
    if not any(name in environment for name in _ASKED_BY_USER):
        environment["GOMP_SPINCOUNT"] = "2000"
