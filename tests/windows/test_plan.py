"""Windows in tokens, compared with a second, slow rule that is written from the description."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.windows.boundaries import CHARACTER, NOWHERE, SENTENCE, WORD
from pyserini_qpeft.windows.plan import plan

QUALITY = st.lists(st.sampled_from([NOWHERE, CHARACTER, WORD, WORD, SENTENCE]), max_size=60).map(
    lambda inner: [SENTENCE, *inner, SENTENCE]
)


def best(quality: list[int], start: int, limit: int) -> int:
    second_half = [place for place in range(start + 1, limit + 1) if 2 * place > start + limit]
    for places in (second_half, range(start + 1, limit + 1)):
        allowed = [place for place in places if quality[place] != NOWHERE]
        if allowed:
            return max(allowed, key=lambda place: (quality[place], place))
    return min(place for place in range(limit + 1, len(quality)) if quality[place] != NOWHERE)


def slow_plan(quality: list[int], size: int, stride: int) -> list[tuple[int, int]]:
    last, found, start = len(quality) - 1, [(0, 0)], 0
    while start + size < last and (stop := best(quality, start, start + size)) < last:
        if stop > found[-1][1]:
            found.append((start, stop))
        start = stop if start + stride >= stop else best(quality, start, start + stride)
    if len(found) > 1 and last - start < size // 2:
        start = min(p for p in range(last - size // 2, start + 1) if quality[p] >= quality[start])
    return [*found[1:], (start, last)]


@given(quality=QUALITY, size=st.integers(1, 30), stride=st.integers(1, 40))
def test_windows_are_those_of_the_description(quality: list[int], size: int, stride: int) -> None:
    assert plan(np.array(quality), size, stride) == slow_plan(quality, size, stride)


@given(quality=QUALITY, size=st.integers(1, 30), stride=st.integers(1, 40))
def test_no_token_is_left_out_and_no_window_is_a_part_of_another(quality: list[int], size: int, stride: int) -> None:
    windows = plan(np.array(quality), size, stride)
    assert windows[0][0] == 0
    assert windows[-1][1] == len(quality) - 1
    for (start, stop), (later, end) in pairwise(windows):
        assert start < later <= stop < end
        assert later - start <= max(stride, size) or NOWHERE in quality[start + 1 : later]
    for start, stop in windows:
        assert quality[start] != NOWHERE
        assert quality[stop] != NOWHERE
        longest = max((b for b in range(start + 1, stop) if quality[b] != NOWHERE), default=None)
        assert stop - start <= size or longest is None or longest - start <= size


@given(quality=QUALITY, size=st.integers(1, 30))
def test_without_a_stride_only_the_last_window_overlaps(quality: list[int], size: int) -> None:
    windows = plan(np.array(quality), size, size)
    for (_, stop), (later, _) in pairwise(windows[:-1]):
        assert stop == later
