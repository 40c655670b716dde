"""A frozen dataclass of numbers as a small JSON file, such as a calibration or a stopping rule."""

import json
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING

from pyserini_qpeft.data.files import PathLike, atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_numbers(path: PathLike, numbers: "DataclassInstance") -> None:
    """Write a dataclass as a JSON object with its fields.

    Raises:
        QPeftError: The file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(json.dumps(asdict(numbers), indent=2) + "\n")


def read_numbers[T: "DataclassInstance"](path: PathLike, kind: type[T], *, writer: str) -> T:
    """Read a dataclass whose fields are `float` or `int`.

    Args:
        path: The file.
        kind: The dataclass. A field with a default may be absent from the file.
        writer: The command that writes such files, for the message.

    Raises:
        QPeftError: No such file, broken JSON, or a setting that is unknown, missing or of a wrong value.
    """
    read = parse_json(read_whole(path), path)
    known = {one.name: one for one in fields(kind)}
    needed = [name for name, one in known.items() if one.default is MISSING]
    if not isinstance(read, dict) or not set(needed) <= read.keys():
        names = f"{', '.join(needed[:-1])} and {needed[-1]}"
        raise QPeftError(f"{path}: expected a JSON object with {names}, as {writer} writes")
    if unknown := sorted(read.keys() - known.keys()):
        raise QPeftError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(known)}")
    for name, value in read.items():
        types, words = (int, "a whole number") if known[name].type is int else (int | float, "a number")
        if isinstance(value, bool) or not isinstance(value, types):
            raise QPeftError(f"{path}: {name} must be {words}, and is {value!r}")
    try:
        return kind(**read)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None
