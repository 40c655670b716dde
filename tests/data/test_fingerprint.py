"""A fingerprint tells contents apart, wherever they are."""

import os
import time

import pytest

from pyserini_qpeft import QPeftError
from pyserini_qpeft.data.fingerprint import file_fingerprint


def test_the_fingerprint_of_a_file_is_that_of_its_content(tmp_path):
    for name, content in (("a", b"x" * 100_000), ("b", b"x" * 100_000), ("c", b"x" * 99_999 + b"y")):
        (tmp_path / name).write_bytes(content)
    os.utime(tmp_path / "b", (0, time.time() - 1000))

    assert file_fingerprint(tmp_path / "a") == file_fingerprint(tmp_path / "b") != file_fingerprint(tmp_path / "c")
    with pytest.raises(QPeftError, match="no such file"):
        file_fingerprint(tmp_path / "d")
