"""Lets every reader open an input that can be read only once, such as a pipe."""

import os
import shutil
import stat
import tempfile
from typing import IO

_copies: dict[tuple[int, int], IO[bytes]] = {}  # by device and inode of the pipe; removed when the process ends


def readable(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The path to open to read all of `path`.

    A pipe (`<(zcat run.gz)`, `/dev/stdin`) gives its content only once. The first call copies it to a temporary file,
    and every call returns the path of that copy. Other paths are returned as they are.

    Raises:
        OSError: There is no such file, or it cannot be read.
    """
    status = os.stat(path)
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return path
    key = (status.st_dev, status.st_ino)
    if key not in _copies:
        copy = tempfile.NamedTemporaryFile(prefix="qpeft-pipe-")  # noqa: SIM115 (kept until the process ends)
        with open(path, "rb") as pipe:
            shutil.copyfileobj(pipe, copy)
        copy.flush()
        _copies[key] = copy
    return _copies[key].name
