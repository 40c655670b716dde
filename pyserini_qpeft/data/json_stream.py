"""Objects of a large JSON file one after the other, so that a file of any size needs the memory of one object."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.files import open_text, user_read_errors
from pyserini_qpeft.errors import QPeftError

_CHUNK = 1 << 20
# An error so near to the end of what was read may be no error once more is read.
_NEAR = 16
_BETWEEN = " \t\r\n,"


def stream_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of an array, or of JSON lines, each with `file:line`, where it begins.

    Raises:
        QPeftError: No such file, an empty one, broken JSON (with its line), or something else than objects.
    """
    decoder = json.JSONDecoder()
    with open_text(path) as file:
        buffer, line, found = "", 1, False
        array = closed = False
        while True:
            skipped = len(buffer) - len(buffer.lstrip(_BETWEEN))
            line += buffer.count("\n", 0, skipped)
            buffer = buffer[skipped:]
            if buffer[:1] in ("[", "]"):
                closed, array = buffer[0] == "]", array or buffer[0] == "["
                buffer = buffer[1:]
                continue
            try:
                record, end = decoder.raw_decode(buffer) if buffer else (None, 0)
            except json.JSONDecodeError as error:
                record, end = None, 0
                whole = not error.msg.startswith("Unterminated") and len(buffer) - error.pos > _NEAR
                more = "" if whole else _read(file, path, max(_CHUNK, len(buffer)))
                if not more:
                    raise QPeftError(
                        f"{path}:{line + error.lineno - 1}: broken JSON: {error.msg} (column {error.colno})."
                    ) from None
                buffer += more
                continue
            if not end:
                buffer = _read(file, path, _CHUNK)
                if buffer:
                    continue
                break
            if not isinstance(record, dict):
                raise QPeftError(f"{path}:{line}: expected an object with question and positive_ctxs.")
            found = True
            yield f"{path}:{line}", record
            line += buffer.count("\n", 0, end)
            buffer = buffer[end:]
        if array and not closed:
            raise QPeftError(f"{path}:{line}: broken JSON: the array is not closed; was the file copied whole?")
        if not found:
            raise QPeftError(f"{path} is empty, where questions with passages (DPR's JSON) were expected.")


def _read(file: Any, path: Path, size: int) -> str:
    with user_read_errors(path):
        try:
            text: str = file.read(size)
        except UnicodeDecodeError:
            raise QPeftError(f"{path}: not UTF-8: convert the file (iconv -t utf-8).") from None
    return text
