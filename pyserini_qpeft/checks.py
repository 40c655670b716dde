"""Checks of numbers that are given in Python. Numbers of numpy are numbers too; True and False are not."""

from numbers import Integral, Real
from typing import Any

from pyserini_qpeft.errors import QPeftError


def check_whole(value: Any, name: str, least: int | None = None) -> None:
    """Check a whole number that may be None.

    Args:
        value: The number.
        name: What the message begins with.
        least: The smallest number that is allowed; None is no limit.

    Raises:
        QPeftError: It is no whole number, or too small.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise QPeftError(f"{name} must be a whole number, not {value!r:.60}.")
    if least is not None and int(value) < least:
        too_small = "must not be negative, and is" if least == 0 else f"must be at least {least}, not"
        raise QPeftError(f"{name} {too_small} {value}.")


def check_count(value: Any, name: str) -> None:
    """Check a number of hits that a searcher is asked for: a whole number, 0 or more, and not None.

    Args:
        value: The number.
        name: What the message begins with.

    Raises:
        QPeftError: It is something else.
    """
    if value is None:
        raise QPeftError(f"{name} must be a whole number, not None.")
    check_whole(value, name, 0)


def check_number(value: Any, name: str, *, optional: bool = True) -> None:
    """Check a number.

    Args:
        value: The number.
        name: What the message begins with.
        optional: Whether it may be None.

    Raises:
        QPeftError: It is no number.
    """
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, Real):
        raise QPeftError(f"{name} must be a number, not {value!r:.60}.")
