"""Masked attention in which several heads share keys and values, without copies of these for each head.

transformers copies keys and values to all heads of a group if there is a mask. Behind cached passages these copies take
longer than the attention itself. torch's kernel for CPUs reads the shared ones in place.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "TRANSFORMERS_SDPA_FORCE_GQA"
"""transformers reads it in each call of torch's attention. Another name for the attention in a model's configuration
would not do: some models compare that name."""


@contextmanager
def grouped_attention() -> Iterator[None]:
    """Lets models on a CPU attend without such copies during a block, if their attention is torch's ("sdpa").

    An environment variable is set and removed; if the user has set it, it stays. Several threads may do so at once:
    both kinds of attention give the same numbers.
    """
    if _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
