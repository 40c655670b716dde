"""Checks of model files that give a clear message before a library reads them."""

import json
from pathlib import Path

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
    config = folder / "config.json"
    try:
        if not isinstance(json.loads(config.read_text(encoding="utf-8")), dict):
            raise QPeftError(f"{config} must hold a JSON object.")
    except (OSError, ValueError, RecursionError) as error:
        raise QPeftError(f"cannot read {config}: {first_line(error)}") from error
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise QPeftError(
            f"cannot load the model in {str(folder)!r}: it has no safetensors, and other forms are not read."
        )
    for file in files:
        check_safetensors(file)


def first_line(error: Exception) -> str:
    """The first line of an error's message that is not blank."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
