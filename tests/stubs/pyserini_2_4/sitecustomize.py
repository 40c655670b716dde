"""Answers what Pyserini 2.4 downloads when it is imported: lists of prebuilt indexes. Its tests then need no network.

Python runs this file at its start if its folder is on PYTHONPATH, in child processes too.
"""

import io
import json
import urllib.request
from typing import Any
from urllib.error import URLError

_INDEX = {"description": "", "filename": "none.tar.gz", "urls": [], "md5": "", "size": 0}
_IMPACT = ("msmarco-v1-passage.unicoil", "msmarco-v2-passage.unicoil-0shot")
"""The two indexes that Pyserini looks up when it is imported."""


def _answer(request: Any, *_: Any, **__: Any) -> io.BytesIO:
    url = request if isinstance(request, str) else request.full_url
    if "/prebuilt-indexes/" not in url:
        raise URLError(f"no network in tests: {url}")
    return io.BytesIO(json.dumps({} if "/faiss/" in url else [{"name": name, **_INDEX} for name in _IMPACT]).encode())


urllib.request.urlopen = _answer
