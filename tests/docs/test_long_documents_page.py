"""The page about long documents: its program runs, and finds the passage that answers."""

from pathlib import Path

from blocks import fenced, run_python

PAGE = "docs/long-documents.md"


def test_the_program_shows_the_passage_that_answers(tmp_path: Path) -> None:
    lines = run_python("".join(fenced(PAGE, "python")), tmp_path).splitlines()
    (report,) = [line for line in lines if line.startswith("report")]
    assert report.endswith("Rooibos has no caffeine at all.")
