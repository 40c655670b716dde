"""Checks of model files that give a clear message before a library reads them."""

import json
import types
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pyserini_qpeft.errors import QPeftError


def check_safetensors(path: Path) -> None:
    """Checks that a safetensors file is complete: its header can be read and its length agrees.

    Raises:
        QPeftError: The file is empty, incomplete or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        raise QPeftError(
            f"{path} is incomplete or damaged ({first_line(error)}): download or copy it again."
        ) from error


def check_model_folder(folder: Path) -> None:
    """Checks the files of a saved model: `config.json` is a JSON object and all safetensors are complete.

    Raises:
        QPeftError: A file is absent, incomplete or damaged.
    """
    read_json_object(folder / "config.json")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise QPeftError(f"cannot load the model in {str(folder)!r}: it has no safetensors (other forms are not read).")
    for file in files:
        check_safetensors(file)


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        QPeftError: The file is absent or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise QPeftError(f"cannot read {path}: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise QPeftError(f"{path} must hold a JSON object.")
    return content


def check_fields(path: Path, values: dict[str, Any], config: type) -> None:
    """Checks that values from a file have the types of a dataclass's own fields; other values are not checked.

    Args:
        path: The file, for the message.
        values: The values by the names of fields.
        config: The dataclass.

    Raises:
        QPeftError: A value has another type.
    """
    hints = get_type_hints(config)
    own = config.__annotations__.keys() & {field.name for field in fields(config)}
    for name in sorted(own & values.keys()):
        kinds = _kinds(hints[name])
        value = values[name]
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            words = " or ".join(kind.__name__ for kind in kinds if kind is not types.NoneType)
            raise QPeftError(f"{path}: {name} must be {words}, not {value!r}.")


def _kinds(hint: Any) -> tuple[type, ...]:
    """The types that a value of a type hint may have after JSON; none if any value may pass."""
    if get_origin(hint) in (Union, types.UnionType):
        members = [_kinds(member) for member in get_args(hint)]
        return tuple(kind for kinds in members for kind in kinds) if all(members) else ()
    if get_origin(hint) is Literal:
        return tuple({type(choice) for choice in get_args(hint)})
    kind = get_origin(hint) or hint
    if kind is float:
        return (float, int)
    return (kind,) if isinstance(kind, type) and kind in (str, int, bool, list, dict, types.NoneType) else ()


def first_line(error: Exception) -> str:
    """The first line of an error's message that is not blank."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
