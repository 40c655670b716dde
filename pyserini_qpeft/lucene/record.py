"""What an index was built with, kept in a file of the index, so that every search fits the index.

Lucene and Faiss ignore the file. An index that was built elsewhere has none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError

FILE = "qpeft.json"
ENGLISH = "en"
"""Pyserini's default language."""


def write_record(index: Path, settings: Mapping[str, Any]) -> None:
    """Writes the settings of an index into its folder."""
    (index / FILE).write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_record(index: Path) -> dict[str, Any]:
    """The settings of an index; empty if it was built elsewhere.

    Raises:
        QPeftError: The file is damaged.
    """
    file = index / FILE
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise QPeftError(f"cannot read {file} ({error}): build the index again.") from error
    if not isinstance(settings, dict):
        raise QPeftError(f"{file} does not hold the settings of an index: build the index again.")
    return settings


def language_of(index: Path) -> str:
    """The language that a Lucene index was analysed for, such as "zh"; "en" if the index does not say."""
    language = read_record(index).get("language", ENGLISH)
    if not isinstance(language, str):
        raise QPeftError(f"{index / FILE} names no language: build the index again.")
    return language
