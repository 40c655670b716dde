"""Imports modules of Pyserini, after the start of Java and around the faults of single versions."""

import os
from importlib import import_module
from typing import Any
from urllib.error import URLError

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.jvm import start_jvm

_KEY = "OPENAI_API_KEY"


def load_pyserini(module: str) -> Any:
    """Starts the JVM and imports a module of Pyserini.

    Pyserini 2.0 creates an OpenAI client when it is imported, which fails without a key, so a placeholder key is set
    during the import. Nothing is sent.

    Args:
        module: For example "pyserini.index.lucene", or "pyserini.search.lucene", which takes seconds to import because
            it imports torch.

    Raises:
        QPeftError: There is no Java or no Pyserini, or there is no network and this version of Pyserini (2.4) downloads
            its lists of names when it is imported.
    """
    start_jvm()
    absent = _KEY not in os.environ
    if absent:
        os.environ[_KEY] = "none"
    try:
        return import_module(module)
    except (URLError, TimeoutError) as error:
        raise QPeftError(
            f"this Pyserini asks the network for its lists of names when it is imported, and got no answer ({error}): "
            "try again online, or install an older one: pip install 'pyserini<2.4'."
        ) from error
    finally:
        if absent:
            del os.environ[_KEY]
