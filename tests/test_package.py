"""What is imported when, and which part of the package may import which."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT, Imports, circles, imports_when_loaded

import pyserini_qpeft

PACKAGE = Path(pyserini_qpeft.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = Imports(PACKAGE)
HEAVY = {"torch", "transformers", "peft", "accelerate", "pandas", "matplotlib", "scipy", "pyserini", "jnius", "faiss"}
TORCH_LIVES_IN = {"qpeft", "models", "scoring", "training"}


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
        barred |= set() if name(module).startswith("evaluation.plots.") else {"matplotlib"}
        assert not roots & barred, name(module)


MAY_IMPORT = {
    "data": set(),
    "candidates": {"data"},
    "lucene": {"data", "candidates"},
    "qpeft": set(),
    "models": {"qpeft"},
    "scoring": {"qpeft", "models"},
    "calibration": {"data", "models"},
    "windows": {"data", "candidates"},
    "reranking": {"data", "candidates", "qpeft", "models", "scoring", "calibration", "windows"},
    "adaptive": {"data", "candidates", "models", "scoring", "reranking"},
    "cascade": {"data", "candidates", "models", "scoring", "reranking"},
    "engines": {"scoring", "reranking"},
    "evaluation": {"data", "reranking", "calibration", "windows"},
    "training": {"data", "lucene", "qpeft", "models", "scoring", "reranking", "evaluation"},
    "interop": {"data", "candidates", "reranking"},
    "demo": {"data", "candidates", "lucene", "reranking", "evaluation"},
    "notebook": {"data", "candidates", "lucene", "models", "scoring", "reranking", "evaluation", "training", "demo"},
    "service": {"data", "candidates", "lucene", "models", "scoring", "calibration", "reranking", "adaptive", "cascade"},
}
"""Which rooms a room may import from, beside `errors`; the command line may import from all."""


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_run_one_way(room: str) -> None:
    for module, imported in IMPORTS.anywhere.items():
        if IMPORTS.room(module) == room:
            others = {IMPORTS.room(other) for other in imported} - {"", room}
            assert others <= MAY_IMPORT[room], f"{module} imports from {others - MAY_IMPORT[room]}"


def test_no_room_can_reach_itself_through_others() -> None:
    assert circles(IMPORTS.rooms) == []


@pytest.mark.parametrize("folder", ["pyserini_qpeft", "recipes", "benchmarks"])
def test_no_module_can_reach_itself_through_its_imports(folder: str) -> None:
    """Imports in functions and for types count too."""
    assert circles(Imports(ROOT / folder).anywhere) == []


def test_the_library_prints_nothing_and_sets_up_no_logging() -> None:
    for module in MODULES:
        if module.relative_to(PACKAGE).parts[0] != "cli":
            calls = {
                ast.unparse(node.func) for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)
            }
            assert not calls & {"print", "logging.basicConfig"}, name(module)


def test_an_installed_package_carries_the_model_the_questions_and_the_page() -> None:
    """A checkout has them in any case; a wheel has what setup.cfg names."""
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
    folders = (PACKAGE / "resources", PACKAGE / "service" / "page" / "static")
    shipped = {
        str(file.relative_to(PACKAGE.parent)) for folder in folders for file in folder.rglob("*") if file.is_file()
    }
    assert {
        "pyserini_qpeft/resources/model/model.safetensors",
        "pyserini_qpeft/service/page/static/index.html",
    } <= shipped
    assert shipped <= set(json.loads(answer.stdout.splitlines()[-1]))
