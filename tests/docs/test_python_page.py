"""The page about Python runs as one program."""

from pathlib import Path

from blocks import fenced, run_python

PAGE = "docs/python.md"


def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    assert run_python("".join(fenced(PAGE, "python")), tmp_path).startswith("QPeftReranker(model='tiny'")
