"""The page about cascades runs as one program."""

from pathlib import Path

from blocks import fenced, run_python


def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    printed = run_python("".join(fenced("docs/cascades.md", "python")), tmp_path)
    assert [line.split()[0] for line in printed.splitlines()] == ["1", "2", "3"]
