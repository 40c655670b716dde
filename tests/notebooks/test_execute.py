"""`make notebooks` saves the outputs of a notebook, unless it fails or warns."""

import runpy
from pathlib import Path

import nbformat
import pytest

SCRIPT = Path(__file__).parents[2] / "notebooks" / "execute.py"


@pytest.fixture
def execute():
    return runpy.run_path(str(SCRIPT))["execute"]


def notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{place}") for place, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_outputs_are_saved_and_nothing_that_differs_from_run_to_run(execute, tmp_path: Path, capsys):
    path = notebook(tmp_path / "a.ipynb", "import os\nprint(os.listdir())", "1 + 1")
    execute(path)
    saved = nbformat.read(path, as_version=4)
    assert saved.metadata.language_info == {"name": "python"}
    assert [cell.metadata for cell in saved.cells] == [{}, {}]
    assert saved.cells[0].outputs[0].text == "['a.ipynb']\n"
    assert saved.cells[1].outputs[0].data["text/plain"] == "2"
    assert "a.ipynb: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import warnings\nwarnings.warn('mind this')", r"(?s)a.ipynb: cell 1 wrote to stderr.*mind this"),
        ("1 / 0", r"(?s)a.ipynb: a cell failed.*ZeroDivisionError"),
    ],
)
def test_a_notebook_that_fails_or_warns_stays_as_it_was(execute, tmp_path: Path, source: str, message: str):
    path = notebook(tmp_path / "a.ipynb", source)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=message):
        execute(path)
    assert path.read_bytes() == before
