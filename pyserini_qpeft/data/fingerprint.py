"""A short hash of a file's content, by which a resumed job sees that an input changed."""

import hashlib

from pyserini_qpeft.data.files import PathLike, user_read_errors


def file_fingerprint(path: PathLike) -> str:
    """A short hash of a file's content.

    Args:
        path: The file.

    Returns:
        16 hexadecimal digits.

    Raises:
        QPeftError: No such file.
    """
    with user_read_errors(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]
