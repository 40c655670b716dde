"""The house keeps its order: what is imported when, and which part may know which."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import pyserini_qpeft

PACKAGE = Path(pyserini_qpeft.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "transformers", "peft", "accelerate", "pandas", "matplotlib", "scipy", "pyserini", "jnius", "faiss"}
TORCH_LIVES_IN = {"qpeft", "scoring", "training"}


def imports_when_loaded(module: Path) -> set[str]:
    """Names of modules that are imported as soon as `module` is, not inside a function or for types only."""
    found: set[str] = set()

    def visit(statements: list[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Import):
                found.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module:
                found.add(statement.module)
            elif isinstance(statement, ast.If):
                visit(statement.orelse if "TYPE_CHECKING" in ast.unparse(statement.test) else statement.body)
            elif isinstance(statement, ast.Try | ast.With):
                visit(statement.body)

    visit(ast.parse(module.read_text()).body)
    return found


def name(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("statement", ["import pyserini_qpeft", "from pyserini_qpeft.cli.__main__ import main"])
def test_importing_the_package_loads_nothing_heavy(statement: str) -> None:
    code = f"{statement}; import sys; print(*({HEAVY!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_every_public_name_is_there() -> None:
    for public in pyserini_qpeft.__all__:
        assert getattr(pyserini_qpeft, public).__name__ == public
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        pyserini_qpeft.nothing_of_the_kind  # noqa: B018


def test_heavy_libraries_stay_where_they_belong() -> None:
    for module in MODULES:
        part = module.relative_to(PACKAGE).parts[0]
        roots = {imported.split(".")[0] for imported in imports_when_loaded(module)}
        barred = {"pyserini", "jnius"}
        barred |= set() if part in TORCH_LIVES_IN else {"torch", "transformers", "peft", "accelerate"}
        barred |= set() if name(module) == "evaluation.plots" else {"matplotlib"}
        assert not roots & barred, name(module)


@pytest.mark.parametrize("part", ["runs", "candidates"])
def test_runs_and_candidates_know_nobody_but_each_other(part: str) -> None:
    known = ("pyserini_qpeft.runs", "pyserini_qpeft.candidates", "pyserini_qpeft.errors")
    for module in (PACKAGE / part).rglob("*.py"):
        for imported in imports_when_loaded(module):
            assert not imported.startswith("pyserini_qpeft.") or imported.startswith(known), f"{module}: {imported}"


@pytest.mark.parametrize("part", ["qpeft", "scoring"])
def test_the_method_and_scoring_know_neither_hits_nor_the_command_line(part: str) -> None:
    below = ("pyserini_qpeft.qpeft", "pyserini_qpeft.scoring", "pyserini_qpeft.errors")
    for module in (PACKAGE / part).rglob("*.py"):
        for imported in imports_when_loaded(module):
            assert not imported.startswith("pyserini_qpeft.") or imported.startswith(below), f"{module}: {imported}"
        if part == "qpeft":
            assert not any(name.startswith("pyserini_qpeft.scoring") for name in imports_when_loaded(module))


def test_the_library_prints_nothing_and_sets_up_no_logging() -> None:
    for module in MODULES:
        if module.relative_to(PACKAGE).parts[0] != "cli":
            calls = {
                ast.unparse(node.func) for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)
            }
            assert not calls & {"print", "logging.basicConfig"}, name(module)


def test_an_installed_package_carries_the_model_and_the_questions() -> None:
    """A checkout has them in any case; a wheel has what the build is told to take."""
    code = (
        "import json, setuptools\n"
        "distribution = setuptools.Distribution()\n"
        "distribution.parse_config_files()\n"
        "build = distribution.get_command_obj('build_py')\n"
        "build.ensure_finalized()\n"
        "print(json.dumps([f'{folder}/{file}' for _, folder, _, files in build.data_files for file in files]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    shipped = {str(file.relative_to(PACKAGE.parent)) for file in (PACKAGE / "resources").rglob("*") if file.is_file()}
    assert "pyserini_qpeft/resources/model/model.safetensors" in shipped
    assert shipped <= set(json.loads(answer.stdout.splitlines()[-1]))
