"""Print the documentation of the running Python's standard library, one JSON line per public name.

This file is a program of its own: `demo.collection` runs it in a new interpreter without site-packages
(`python -I -S documentation.py`). So the two hundred modules that it imports are not loaded into the process of
the demo, and no installed package can change what is read. It imports the standard library only.

Each line is a document in the BEIR layout: `_id` is a qualified name (`os.path.splitext`, `str.split`,
`json.JSONDecoder`), `title` is the name with its signature, and `text` is its docstring.
"""

import ast
import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import sys
import types
import warnings
from collections.abc import Iterator
from typing import NamedTuple

# The import of some of these prints, opens a window or a browser, or changes the interpreter. The others hold only
# programs, tests, tables, or second names of public modules (posixpath is os.path, the sre_* modules are re).
LEFT_OUT = {
    *("antigravity", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "readline", "rlcompleter"),
    *("this", "turtledemo", "genericpath", "nt", "ntpath", "nturl2path", "posix", "posixpath", "pyexpat"),
    *("sre_compile", "sre_constants", "sre_parse"),
}


class Elided:
    """A default value that is not shown."""

    def __repr__(self) -> str:
        return "..."


ELIDED = Elided()


class Documented(NamedTuple):
    """A public name, its value, and its docstring."""

    name: str
    value: object
    docstring: str


def main() -> None:
    """Write the collection, sorted by name."""
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):  # output of a module must not get into the collection
        collection = sorted(canonical(public_things()), key=lambda one: one.name)
        titles = [one.name + signature(one.value) for one in collection]
    for title, one in zip(titles, collection, strict=True):
        sys.stdout.write(f"{json.dumps({'_id': one.name, 'title': title, 'text': one.docstring})}\n")


def canonical(things: dict[str, object]) -> list[Documented]:
    """Each documented value once, under its best name: a short one, and its own (`OSError`, not `IOError`)."""
    best: dict[int, tuple[tuple[int, bool, str], Documented]] = {}
    for name, value in things.items():
        if text := docstring(value):
            own_name = getattr(value, "__qualname__", "")
            rank = (name.count("."), not name.endswith(own_name), name)
            # random.choice is random.Random.choice, bound to a hidden instance.
            identity = id(getattr(value, "__func__", value))
            if identity not in best or rank < best[identity][0]:
                best[identity] = rank, Documented(name, value, text)
    return [documented for _, documented in best.values()]


def public_things() -> dict[str, object]:
    """The value of every public name of the library; a value may have several names."""
    things: dict[str, object] = {}
    for name, module in modules():
        things.setdefault(name, module)  # unittest.main is the function of the package, not the submodule
        for inner, value in public_names(module).items():
            things[inner if name == "builtins" else f"{name}.{inner}"] = value
    public_classes = {value for value in things.values() if inspect.isclass(value)}
    for name, value in list(things.items()):
        if inspect.isclass(value):
            things |= members(name, value, public_classes)
    return things


def modules() -> Iterator[tuple[str, types.ModuleType]]:
    """The public modules and submodules that can be imported on this machine, by name."""
    yield "os.path", os.path
    waiting = sorted(sys.stdlib_module_names - LEFT_OUT)
    for name in waiting:
        if any(part.startswith("_") or part in {"test", "tests"} for part in name.split(".")):
            continue
        # A module may need another library or system; it may then raise any exception.
        with contextlib.suppress(Exception):
            module = importlib.import_module(name)
            inside = pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}.")
            waiting += sorted(found.name for found in inside)
            yield name, module


def public_names(module: types.ModuleType) -> dict[str, object]:
    """The public names of a module: those in its `__all__`, or else those that it defines itself."""
    declared = getattr(module, "__all__", None)
    names = dir(module) if declared is None else declared
    values = {name: getattr(module, name) for name in names if not name.startswith("_") and hasattr(module, name)}

    def at_home(value: object) -> bool:
        home = getattr(value, "__module__", None) or module.__name__
        return declared is not None or home == module.__name__ or home.startswith("_")

    return {name: value for name, value in values.items() if at_home(value) and not inspect.ismodule(value)}


def members(class_name: str, owner: type, public_classes: set[type]) -> dict[str, object]:
    """The methods, properties and nested classes of a class and of its bases that have no public name."""
    found: dict[str, object] = {}
    public_bases = [base for base in owner.__mro__[1:] if base in public_classes]
    for base in reversed(owner.__mro__):
        if base is owner or not any(base in public.__mro__ for public in public_bases):
            found |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    things: dict[str, object] = {}
    for name, value in found.items():
        things[f"{class_name}.{name}"] = getattr(value, "__func__", value)
        if inspect.isclass(value) and value.__qualname__ == f"{owner.__qualname__}.{name}":
            things |= members(f"{class_name}.{name}", value, public_classes)
    return things


def docstring(value: object) -> str:
    """The docstring of a value; empty if it is inherited or generated."""
    own = getattr(value, "__doc__", None)
    inherited = "__doc__" not in vars(value) if inspect.isclass(value) else own == type(value).__doc__
    if not isinstance(own, str) or inherited:
        return ""
    text = inspect.cleandoc(own).strip()
    field_list = hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__")
    generated = field_list and text.startswith(f"{getattr(value, '__name__', '')}(") and "\n" not in text
    return "" if generated or text.startswith(("Alias for field number", "An enumeration.")) else text


def signature(value: object) -> str:
    """The signature of a callable, such as `(path, *, strict=False)`; empty if there is none."""
    if inspect.ismodule(value) or not callable(value):
        return ""
    # The signature of a builtin may be malformed; Python may then raise any exception.
    with contextlib.suppress(Exception):
        found = inspect.signature(value)
        parameters = [plain(parameter) for parameter in found.parameters.values()]
        if parameters and parameters[0].name in ("self", "cls") and parameters[0].default is inspect.Parameter.empty:
            del parameters[0]
        return str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return ""


def plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter without its annotation, and with its default only if that is a short literal.

    Other defaults depend on the machine and the process (environment, paths, memory addresses).
    """
    default = parameter.default
    if default is not inspect.Parameter.empty and not is_short_literal(default):
        default = ELIDED
    return parameter.replace(default=default, annotation=inspect.Parameter.empty)


def is_short_literal(value: object) -> bool:
    """Whether a value is a literal of at most 30 characters, and not a path of this machine."""
    if isinstance(value, str) and len(value) > 1 and os.path.isabs(value):
        return False
    with contextlib.suppress(Exception):
        shown = repr(value)
        return len(shown) <= 30 and bool(ast.literal_eval(shown) == value)
    return False


if __name__ == "__main__":
    main()
