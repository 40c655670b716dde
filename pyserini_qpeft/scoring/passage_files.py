"""The files of a folder of stored passages.

    FOLDER/passages.json                the limit, and the bytes of all stored passages
    FOLDER/MODEL/model.json             what `qpeft cache --list` shows of the model
    FOLDER/MODEL/PASSAGE.safetensors    the key-values of one passage

MODEL is the fingerprint of the model (and "-int8" if its passages are kept as integers), PASSAGE a hash of the
passage's tokens. Only files with such names are ever removed.
"""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = re.compile(r"[0-9a-f]{24}(-int8)?")
_PASSAGE = re.compile(r"[0-9a-f]{32}\.safetensors")
UNFINISHED = re.compile(r"([0-9a-f]{32}|model|passages)\.[0-9a-f]{8}\.part")
UNFINISHED_TENSORS = re.compile(r"\.tmp[0-9A-Za-z]{6}")
"""What safetensors writes to before it renames the file, in the folder of a model."""


@dataclass(frozen=True, slots=True)
class PassageFile:
    """A stored passage.

    Attributes:
        path: The file.
        bytes: Its size.
        used: When it was used last, in nanoseconds since 1970.
    """

    path: Path
    bytes: int
    used: int


def unfinished(file: Path) -> Path:
    """A name beside a file, under which it is written first. A killed process may leave it; the next one removes it."""
    return file.with_suffix(f".{secrets.token_hex(4)}.part")


def write_whole(file: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file that is complete or absent at any time."""
    draft = unfinished(file)
    try:
        draft.write_text(json.dumps(content), encoding="utf-8")
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def files_of(model: Path) -> Iterator[PassageFile]:
    """The passages in the folder of a model."""
    with contextlib.suppress(FileNotFoundError), os.scandir(model) as found:
        for one in found:
            # Another process may remove a file meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if _PASSAGE.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                    state = one.stat(follow_symlinks=False)
                    yield PassageFile(Path(one.path), state.st_size, state.st_mtime_ns)


def about(model: Path) -> dict[str, Any]:
    """What `model.json` says of a model; nothing if it cannot be read."""
    try:
        found = json.loads((model / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
