"""What is said of a file that cannot be read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError


def refusal(read: Callable[[Path], object], file: Path, text: str) -> str:
    """Writes a text to a file that `read` must refuse; returns the message, which must name the file."""
    file.write_text(text)
    with pytest.raises(QPeftError) as mistake:
        read(file)
    assert file.name in str(mistake.value)
    return str(mistake.value)
