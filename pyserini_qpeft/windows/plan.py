"""Where windows begin and end, in tokens, given how good each place is for a cut."""

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.windows.boundaries import NOWHERE


def plan(quality: npt.NDArray[np.int64], size: int, stride: int) -> list[tuple[int, int]]:
    """Divide a text into windows that leave no token out.

    A window ends at the best place of its second half: at the last sentence end there, or else before the last word,
    or else between two characters. The next one starts at the best place of the second half of its stride, and never
    after the end of the window before. A last window of less than half the size starts earlier, so that it is not
    shorter than the others can be.

    Args:
        quality: Quality of the place before each token, and of the end: `[tokens + 1]`, see `boundaries`.
        size: Most tokens of a window. A single character that takes more is a window of its own.
        stride: Most tokens from the start of a window to the start of the next.

    Returns:
        First token of each window, and the token after its last; starts and ends ascend.
    """
    last = len(quality) - 1
    windows: list[tuple[int, int]] = []
    start = 0
    while last - start > size:
        stop = _best_place(quality, start, start + size)
        if stop == last:  # only blanks follow
            break
        if not windows or windows[-1][1] < stop:  # else it is a part of the window before
            windows.append((start, stop))
        start = stop if start + stride >= stop else _best_place(quality, start, start + stride)
    if windows and last - start < size // 2:
        start = _earlier(quality, last - size // 2, start)
    windows.append((start, last))
    return windows


def _best_place(quality: npt.NDArray[np.int64], start: int, limit: int) -> int:
    """The best place after the middle between `start` and `limit`, the last of equals; or any place after `start`."""
    middle = start + (limit - start) // 2 + 1
    nearby = quality[middle : limit + 1]
    if not nearby.size or nearby.max() == NOWHERE:
        nearby, middle = quality[start + 1 : limit + 1], start + 1
    if not nearby.size or nearby.max() == NOWHERE:
        return limit + 1 + int(np.flatnonzero(quality[limit + 1 :] > NOWHERE)[0])
    return middle + int(np.flatnonzero(nearby == nearby.max())[-1])


def _earlier(quality: npt.NDArray[np.int64], first: int, start: int) -> int:
    """The first place from `first` to `start` that is no worse than `start`."""
    return first + int(np.flatnonzero(quality[first : start + 1] >= quality[start])[0])
