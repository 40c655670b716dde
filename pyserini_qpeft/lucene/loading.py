"""Imports the half of Pyserini that takes seconds: its searchers, and with them torch, transformers and more."""

import os
from types import ModuleType

from pyserini_qpeft.lucene.jvm import start_jvm

_KEY = "OPENAI_API_KEY"


def load_searchers() -> ModuleType:
    """Start the JVM and import `pyserini.search.lucene`.

    Pyserini 2.0 makes an OpenAI client as it is imported, and today's openai package refuses to make one without a
    key, so there is one while the import lasts. Nothing is sent.
    """
    start_jvm()
    absent = _KEY not in os.environ
    if absent:
        os.environ[_KEY] = "none"
    try:
        import pyserini.search.lucene
    finally:
        if absent:
            del os.environ[_KEY]
    module: ModuleType = pyserini.search.lucene
    return module
