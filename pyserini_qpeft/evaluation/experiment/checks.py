"""Values out of YAML, of the kind they must be; `where` is their place in the file, for messages."""

from collections.abc import Mapping
from typing import Any

from pyserini_qpeft.errors import QPeftError

_KINDS = {str: "text", int: "a whole number", float: "a number"}


def keys_of(
    read: Any, where: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = None
) -> Mapping[str, Any]:
    """The mapping at a place, its keys as text; any key is allowed where none are required or optional."""
    if not isinstance(read, Mapping):
        raise QPeftError(f"{where}: expected keys and values, not {read!r}")
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
    """A single value of a kind; true and false are no numbers."""
    if not isinstance(read, kind) or isinstance(read, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise QPeftError(f"{where} must be {' or '.join(_KINDS[one] for one in kinds)}, and is {read!r}")
    return read


def several(read: Any, kind: type, where: str) -> list[Any]:
    """A value of a kind, or a list of such values, as a list."""
    return [value_of(value, kind, where) for value in listed(read)]


def listed(read: Any) -> list[Any]:
    """What is no list as a list of one."""
    return read if isinstance(read, list) else [read]


def at_least_one(numbers: list[int], where: str) -> list[int]:
    """The numbers, none of which may be 0 or less."""
    for number in numbers:
        if number < 1:
            raise QPeftError(f"{where} must be 1 or more, and is {number}")
    return numbers
