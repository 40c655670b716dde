"""Checks of the types of values from a YAML file; `where` is their place in the file, for messages."""

from collections.abc import Mapping
from typing import Any

from pyserini_qpeft.errors import QPeftError

_KINDS = {str: "text", int: "a whole number", float: "a number"}


def keys_of(
    read: Any, where: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = None
) -> Mapping[str, Any]:
    """Return a mapping with its keys as text, after checking the keys; `optional=None` allows any other key."""
    if not isinstance(read, Mapping):
        raise QPeftError(f"{where}: expected keys and values, not {read!r:.60}")
    keys = {str(key): value for key, value in read.items()}
    for key in required:
        if key not in keys:
            raise QPeftError(f"{where}: {key} is missing")
    if optional is not None:
        known = (*required, *(optional or ()))
        for key in keys:
            if key not in known:
                raise QPeftError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
    return keys


def value_of(read: Any, kind: type | tuple[type, ...], where: str) -> Any:
    """Return a value after checking its type; true and false are not numbers."""
    if not isinstance(read, kind) or isinstance(read, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise QPeftError(f"{where} must be {' or '.join(_KINDS[one] for one in kinds)}, and is {read!r}")
    return read


def several(read: Any, kind: type, where: str) -> list[Any]:
    """Return a value, or a list of values, as a list, after checking the type of each."""
    return [value_of(value, kind, where) for value in listed(read)]


def listed(read: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return read if isinstance(read, list) else [read]


def at_least_one(numbers: list[int], where: str) -> list[int]:
    """Return the numbers after checking that each is 1 or more."""
    for number in numbers:
        if number < 1:
            raise QPeftError(f"{where} must be 1 or more, and is {number}")
    return numbers
