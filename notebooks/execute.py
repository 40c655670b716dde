"""Run the notebooks from top to bottom and save them with their outputs.

    make notebooks
    python notebooks/execute.py notebooks/01_rerank_your_index.ipynb

Times of cells, versions and the name of the kernel are not saved, so a saved notebook changes only if its content does. A
notebook that fails or writes a warning is not saved.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).parent
LONGEST = 300  # seconds that a notebook may take on an idle machine
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    """Run one notebook and save it.

    Args:
        path: The notebook. Its cells run in its folder.

    Raises:
        RuntimeError: A cell failed or wrote to stderr. The file is unchanged.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.perf_counter()
    try:
        client.execute()
    except CellExecutionError as mistake:
        raise RuntimeError(f"{path.name}: a cell failed\n{mistake}") from None
    seconds = time.perf_counter() - start
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RuntimeError(f"{path.name}: cell {cell.execution_count} wrote to stderr:\n{output.text}")
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.write(notebook, path)
    print(f"{path.name}: {seconds:.0f} s" + (f", longer than the limit of {LONGEST} s" if seconds > LONGEST else ""))


def main() -> int:
    """Run all notebooks, or those named on the command line. The exit code is 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    failed = False
    for path in parser.parse_args().notebooks:
        try:
            execute(path)
        except RuntimeError as mistake:
            print(mistake, file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
