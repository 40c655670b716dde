"""The formats of runs: a module each, with a `FORMAT`. To add one, see docs/extend/file_format.md."""

from functools import cache
from importlib import import_module

from pyserini_qpeft.data.run_formats.run_format import RunFormat

# In the order in which a file's first line is tried.
_MODULES = (
    "jsonl",
    "csv",
    "msmarco",
    "trec",
)


@cache
def run_formats() -> dict[str, RunFormat]:
    """All formats of runs by name."""
    formats = [import_module(f"{__name__}.{module}").FORMAT for module in _MODULES]
    return {form.name: form for form in formats}
