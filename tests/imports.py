"""Counts the modules of a package, their imports, and the circles in them.

Run: `python tests/imports.py [FOLDER …]` prints a table for the package, the recipes and the benchmarks, or for the
folders given; each folder is a package whose parent folder is the root of a checkout.
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Imports:
    """Which modules of a package import which other modules of it.

    Args:
        package: The package's folder.
    """

    def __init__(self, package: Path) -> None:
        self.package = package
        self.files = {self._name(file): file for file in sorted(package.rglob("*.py"))}

    @cached_property
    def when_loaded(self) -> dict[str, set[str]]:
        """For each module, the modules that are imported as soon as it is."""
        return {name: self._own(imports_when_loaded(file)) - {name} for name, file in self.files.items()}

    @cached_property
    def anywhere(self) -> dict[str, set[str]]:
        """For each module, the modules that it imports anywhere: in functions and for types too."""
        return {name: self._own(imports_anywhere(file)) - {name} for name, file in self.files.items()}

    @cached_property
    def rooms(self) -> dict[str, set[str]]:
        """For each folder of the package, the other folders that its modules import anything from."""
        rooms: dict[str, set[str]] = {}
        for name, imported in self.anywhere.items():
            found = rooms.setdefault(self.room(name), set())
            found |= {self.room(other) for other in imported} - {self.room(name)}
        # The package's own __init__ and top-level modules are no room.
        rooms.pop("", None)
        return {room: others - {""} for room, others in rooms.items()}

    def _name(self, file: Path) -> str:
        parts = file.relative_to(self.package.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def room(self, name: str) -> str:
        """The folder of the package that a module is in; empty for a module at the top level."""
        parts = name.split(".")
        return parts[1] if len(parts) > 1 and (self.package / parts[1]).is_dir() else ""

    def _own(self, imported: Iterable[str]) -> set[str]:
        """The modules of this package among imported names; a name may also be that of something in a module.

        The package's own `__init__` is left out: it names what is public, and every import of a module loads it.
        """
        own = {name if name in self.files else name.rpartition(".")[0] for name in imported}
        return own & self.files.keys() - {self.package.name}


def imports_when_loaded(file: Path) -> set[str]:
    """Names that are imported as soon as the file is, not inside functions and not for types only."""
    found: list[ast.stmt] = []

    def visit(statements: list[ast.stmt]) -> None:
        for statement in statements:
            found.append(statement)
            if isinstance(statement, ast.If):
                visit(statement.orelse if "TYPE_CHECKING" in ast.unparse(statement.test) else statement.body)
            elif isinstance(statement, ast.Try | ast.With):
                visit(statement.body)

    visit(ast.parse(file.read_text(encoding="utf-8")).body)
    return _names(found)


def imports_anywhere(file: Path) -> set[str]:
    """Names that are imported anywhere in the file."""
    return _names(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    """Imported names: `import a.b` gives a.b, `from a import b` gives a.b, which may be a module or something in a."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that can all reach each other, each sorted."""
    reach = {node: _reachable(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reach[node] if node in reach[other]) for node in graph if node in reach[node]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """The nodes at the end of a path of one step or more."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph.get(node, ())
    return seen


def main(folders: list[Path]) -> None:
    for folder in folders:
        imports = Imports(folder)
        rooms, modules = circles(imports.rooms), circles(imports.anywhere)
        rows = {
            "rooms": len(imports.rooms),
            "modules": len(imports.files),
            "modules at the top level": sum(not imports.room(name) for name in imports.files),
            "lines": sum(len(file.read_text(encoding="utf-8").splitlines()) for file in imports.files.values()),
            "module-level imports of own modules": sum(map(len, imports.when_loaded.values())),
            "imports of own modules, in functions and for types too": sum(map(len, imports.anywhere.values())),
            "arrows between rooms": sum(map(len, imports.rooms.values())),
            "circles of rooms": len(rooms),
            "circles of modules": len(modules),
        }
        print(folder.name)
        for name, count in rows.items():
            print(f"  {count:6,}  {name}")
        for group in rooms + modules:
            print(f"          circle: {', '.join(group)}")


if __name__ == "__main__":
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    main(given or [ROOT / name for name in ("pyserini_qpeft", "recipes", "benchmarks")])
