"""What those have in common that put a sequence classifier over pairs: the same body, one number for each pair."""

from importlib import import_module
from typing import Any

from benchmarks.arithmetic import Reading
from benchmarks.rivals.rival import Pairs
from benchmarks.skipped import Skipped


def needed(module: str, package: str) -> Any:
    """A module of another package.

    Raises:
        Skipped: If the package is not there.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Skipped(f"{package} cannot be imported ({error}): pip install -e '.[bench]'") from error


class PairReadings:
    """What a classifier reads of each pair: query and passage side by side, and no logits.

    Args:
        tokenizer: Its tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, pairs: Pairs) -> list[Reading]:
        encoded = self._tokenizer([list(pair) for pair in pairs], truncation=True, verbose=False)["input_ids"]
        return [Reading(len(ids), 0) for ids in encoded]
