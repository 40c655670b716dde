"""The length of rows: a multiple, but no longer than what the model reads."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.scoring.row_length import RowLength, row_multiple


@given(st.integers(1, 5000), st.integers(1, 64), st.none() | st.integers(1, 5000))
def test_rows_get_as_long_as_the_multiple_asks_but_not_beyond_the_limit(
    longest: int, multiple: int, most: int | None
) -> None:
    length = RowLength(multiple, most).of(longest)
    assert longest <= length < longest + multiple
    assert length % multiple == 0 or (most is not None and length == max(longest, most))


@pytest.mark.parametrize(
    ("dtype", "device", "multiple"), [("bfloat16", "cpu", 8), ("float32", "cpu", 1), ("bfloat16", "meta", 1)]
)
def test_only_bfloat16_on_a_cpu_is_padded(dtype: str, device: str, multiple: int) -> None:
    assert row_multiple(torch.zeros(1, dtype=getattr(torch, dtype), device=device)) == multiple
