"""Imports parts of Pyserini, whatever the version: Java first, then what each version trips over."""

import os
from importlib import import_module
from typing import Any
from urllib.error import URLError

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.jvm import start_jvm

_KEY = "OPENAI_API_KEY"


def load_pyserini(module: str) -> Any:
    """Start the JVM and import a module of Pyserini.

    Pyserini 2.0 makes an OpenAI client as it is imported, and today's openai package refuses to make one without a
    key, so there is one while the import lasts. Nothing is sent.

    Args:
        module: Such as "pyserini.index.lucene", or "pyserini.search.lucene", which takes seconds: torch comes with it.

    Raises:
        QPeftError: No Java or no Pyserini, or a Pyserini that fetches its lists of names as it is imported (2.4) where
            there is no network.
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
