"""The notebooks run from top to bottom, and are saved with the outputs of one run.

Each runs offline in its own process, with smaller numbers than in the saved notebook: a cell with these numbers is added
after the cell tagged `parameters`, as papermill does it.
"""

import ast
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

SMALLER = {
    "01_rerank_your_index": {"MODEL": "tiny", "QUESTIONS": 6, "DEPTH": 10},
    "02_beir_evaluation": {
        "MODEL": "tiny",
        "FOLDERS": ["../../shared/data/nfcorpus"],
        "QUERIES": 8,
        "DEV_QUERIES": 4,
        "DEPTH": 8,
    },
    "03_train_an_adapter": {"TRAIN_QUERIES": 16, "DEV_QUERIES": 4, "TEST_QUERIES": 6, "STEPS_A_LOOK": 1},
    "04_why_this_rank": {"MODEL": "tiny", "QUESTIONS": 8, "DEPTH": 12},
}
GUARDS = {"02_beir_evaluation": {"NETWORK": "open_prebuilt", "LARGE_MODEL": "load_reranker"}}

every_notebook = pytest.mark.parametrize("name", sorted(SMALLER))


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parsed(notebook: Any) -> ast.Module:
    """The code of all cells, without lines of IPython (%...)."""
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    return ast.parse("\n".join(line for line in lines if not line.startswith("%")))


def texts(notebook: Any) -> list[str]:
    """All text of a notebook: sources and outputs, without pictures."""
    found = [cell.source for cell in notebook.cells]
    for cell in code_cells(notebook):
        for output in cell.outputs:
            shown = {kind: part for kind, part in output.get("data", {}).items() if not kind.startswith("image/")}
            found += [json.dumps(shown), output.get("text", ""), *output.get("traceback", [])]
    return found


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel that runs this Python, known only in this test."""
    folder = tmp_path / "jupyter" / "kernels" / "here"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "here", "language": "python"}))
    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return "here"


def test_every_notebook_is_tested_here() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == SMALLER.keys()


@every_notebook
def test_it_runs_from_top_to_bottom(name: str, kernel: str) -> None:
    notebook = read(name)
    places = [place for place, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    assert len(places) == 1
    known = {target.id for node in ast.walk(parsed(notebook)) for target in ast.walk(node) if is_assigned(target)}
    assert SMALLER[name].keys() <= known, "the notebook has no parameter of this name"
    lines = [f"{parameter} = {value!r}" for parameter, value in SMALLER[name].items()]
    notebook.cells.insert(places[0] + 1, nbformat.v4.new_code_cell("\n".join(lines)))

    NotebookClient(
        notebook, timeout=300, kernel_name=kernel, resources={"metadata": {"path": str(NOTEBOOKS)}}
    ).execute()

    shown = "\n".join(texts(notebook))
    for path in (str(NOTEBOOKS.parent), str(Path.home()), tempfile.gettempdir() + "/", sys.prefix):
        assert path not in shown


def is_assigned(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


@every_notebook
def test_it_is_saved_with_the_outputs_of_one_run(name: str) -> None:
    cells = code_cells(read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("text/html" in output.get("data", {}) for output in outputs)


@every_notebook
def test_it_names_no_path_of_a_machine(name: str) -> None:
    for text in texts(read(name)):
        assert not re.search(r"/(root|home|Users|work|tmp|var|opt|mnt|private)/|[A-Z]:\\", text)


@every_notebook
def test_it_uses_only_public_names(name: str) -> None:
    tree = parsed(read(name))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert imported
    assert not [word for word in imported + attributes if word.startswith("_")]
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {module for module in modules if module.startswith("pyserini_qpeft")} == {"pyserini_qpeft.notebook"}


@every_notebook
def test_one_constant_at_its_top_names_the_model(name: str) -> None:
    assigned = [
        ast.literal_eval(node.value)
        for node in ast.walk(parsed(read(name)))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODEL"
    ]
    assert assigned == ["tiny" if name == "03_train_an_adapter" else "smollm2-135m-q4"]


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_a_network_or_a_large_model_is_used_only_if_asked_for(name: str) -> None:
    tree = parsed(read(name))
    for flag, function in GUARDS[name].items():
        values = [
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [flag]
        ]
        assert len(values) == 1
        assert not ast.literal_eval(values[0]), f"{flag} is set"

        guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == flag]
        within = [call for node in guarded for call in calls(node, function)]
        everywhere = [call for call in calls(tree, function) if flag == "NETWORK" or flag in ast.unparse(call)]
        assert within
        assert len(within) == len(everywhere)


def calls(tree: ast.AST, function: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == function
    ]
