"""What the ways of scoring with a sequence classifier have in common."""

from importlib import import_module
from typing import Any

from benchmarks.arithmetic import Reading
from benchmarks.rivals.rival import Pairs
from benchmarks.skipped import Skipped


def needed(module: str, package: str) -> Any:
    """Imports a module of another package.

    Raises:
        Skipped: The package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Skipped(f"{package} cannot be imported ({error}): pip install -e '.[bench]'") from error


class PairReadings:
    """Counts the tokens that a classifier reads: query and passage together, without logits.

    Args:
        tokenizer: Its tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, pairs: Pairs) -> list[Reading]:
        encoded = self._tokenizer([list(pair) for pair in pairs], truncation=True, verbose=False)["input_ids"]
        return [Reading(len(ids), 0) for ids in encoded]
