"""The benchmark of padding measures every multiple, and padding changes scores by rounding only."""

from pathlib import Path

import pytest
from tiny import save_tiny_model

from benchmarks.padding import main


@pytest.mark.parametrize("more", [[], ["--cached"]])
def test_each_multiple_has_a_row(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_model(tmp_path / "model")
    sizes = ["--requests", "2", "--passages", "3", "--queries", "2", "--multiples", "1", "8"]
    assert main(["--model", str(model), "--dtype", "float32", *sizes, *more]) == 0
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["1", "8"]
    assert float(rows[1][-1]) < 1e-5
