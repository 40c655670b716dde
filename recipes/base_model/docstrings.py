"""Docstrings of the standard library and of permissively licensed packages, read from source without importing it."""

from __future__ import annotations

import ast
import inspect
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from recipes.base_model.sources import Passage

# Distribution -> top-level package. Each states BSD, MIT, Apache-2.0 or PSF in its metadata (`licence_of`).
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "torch": "torch",
    "scikit-learn": "sklearn",
    "matplotlib": "matplotlib",
    "networkx": "networkx",
    "sympy": "sympy",
    "transformers": "transformers",
    "peft": "peft",
    "accelerate": "accelerate",
    "datasets": "datasets",
    "tornado": "tornado",
    "Werkzeug": "werkzeug",
    "Flask": "flask",
    "click": "click",
    "rich": "rich",
    "requests": "requests",
    "Jinja2": "jinja2",
    "seaborn": "seaborn",
    "pydantic": "pydantic",
    "joblib": "joblib",
    "ipython": "IPython",
    "beautifulsoup4": "bs4",
}
PERMISSIVE = ("bsd", "mit", "apache", "psf", "python software foundation")

# Modules written in C have no source to parse.
_C_MODULES = """
    array binascii builtins cmath datetime errno fcntl gc itertools marshal math mmap posix pwd resource select
    signal sys time unicodedata zlib _bisect _collections _csv _functools _heapq _io _operator _random _socket
    _sqlite3 _struct _thread
"""


def licence_of(distribution: str) -> str:
    """Returns the licence of a distribution: from the expression, the classifiers or the text, in this order."""
    stated = metadata.metadata(distribution)
    classifiers = [c for c in stated.get_all("Classifier") or [] if c.startswith("License ::")]
    return stated.get("License-Expression") or "; ".join(classifiers) or (stated.get("License") or "unknown")[:60]


def standard_library() -> Iterator[Passage]:
    """Yields docstrings of public names of the standard library, C modules last, without tests and private modules."""
    root = Path(sysconfig.get_path("stdlib"))
    skipped = {"test", "tests", "idle_test", "site-packages", "lib2to3", "__pycache__", "idlelib"}
    yield from _from_folder(root, "", "stdlib", skipped)
    for name in _C_MODULES.split():
        try:
            module = import_module(name)
        except ImportError:
            continue
        yield from _from_module(module.__name__.lstrip("_"), module)


def packages() -> Iterator[Passage]:
    """Yields docstrings of public names of the `PACKAGES` that are installed and have a permissive licence."""
    root = Path(sysconfig.get_path("purelib"))
    for distribution, package in PACKAGES.items():
        try:
            licence = licence_of(distribution).lower()
        except metadata.PackageNotFoundError:
            continue
        if any(word in licence for word in PERMISSIVE) and (root / package).is_dir():
            yield from _from_folder(root / package, package, "packages", {"tests", "test", "testing", "_vendor"})


def _from_folder(root: Path, prefix: str, source: str, skipped: set[str]) -> Iterator[Passage]:
    for path in sorted(root.rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if skipped & set(parts) or any(p.startswith("_") and p != "__init__" for p in parts):
            continue
        if parts[-1] == "__init__":
            parts.pop()
        name = ".".join(([prefix] if prefix else []) + parts)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        yield from _from_tree(tree, name, source, name)


def _from_tree(node: ast.AST, name: str, source: str, group: str) -> Iterator[Passage]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text and len(text) > 20:
            yield Passage(source, group, name, text)
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                yield from _from_tree(child, f"{name}.{child.name}", source, group)


def _from_module(name: str, owner: object) -> Iterator[Passage]:
    for key, value in sorted(vars(owner).items()):
        if key.startswith("_") or not callable(value):
            continue
        text = inspect.getdoc(value)
        if text and len(text) > 20:
            yield Passage("stdlib", name, f"{name}.{key}", text)
        if inspect.isclass(value) and value.__module__ != "collections.abc":
            for member, function in sorted(vars(value).items()):
                text = inspect.getdoc(function) if callable(function) and member[0] != "_" else None
                if text and len(text) > 20:
                    yield Passage("stdlib", name, f"{name}.{key}.{member}", text)
