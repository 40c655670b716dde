"""A short hash of a file's content. A resumed job compares it to find an input that changed."""

import hashlib

from pyserini_qpeft.data.files import PathLike, user_read_errors
from pyserini_qpeft.data.pipes import readable


def file_fingerprint(path: PathLike) -> str:
    """A short hash of a file's content.

    Args:
        path: The file.

    Returns:
        16 hexadecimal digits.

    Raises:
        QPeftError: The file does not exist or cannot be read.
    """
    with user_read_errors(path), open(readable(path), "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]
