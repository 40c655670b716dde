"""Interfaces of other libraries, one file each. A file is imported only when it is used."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Names the extra that installs a library if the imports in this context fail.

    Args:
        extra: Name of the extra of this package.

    Raises:
        ImportError: An import in this context failed.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{error}: install it with pip install 'pyserini-qpeft[{extra}]'") from error
