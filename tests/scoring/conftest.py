"""What tests of scoring share: a count of the passages that a model reads."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def passages_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[int]]:
    """From a scorer with a cache to a list that gets the number of passages of each call of the model."""

    def count(scorer: Any) -> list[int]:
        model, numbers = scorer.cache.reader.model, []
        read = model.read_passages

        def counting(ids: Any, instruction: slice) -> Any:
            numbers.append(len(ids))
            return read(ids, instruction)

        monkeypatch.setattr(model, "read_passages", counting)
        return numbers

    return count
