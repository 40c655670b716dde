"""The page about cascades runs as one program."""

import json
from pathlib import Path

from blocks import fenced, run_python


def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    *hits, stages = run_python("".join(fenced("docs/cascades.md", "python")), tmp_path).splitlines()
    assert [line.split()[0] for line in hits] == ["1", "2", "3"]
    assert len(json.loads(stages)) == 2
