"""What the name of a step's output depends on."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.evaluation.experiment.steps import Step


def output(**options: Any) -> Path:
    return Step("rerank", {name.replace("_", "-"): value for name, value in options.items()}, Path("out.jsonl")).output


def test_a_folder_of_stored_passages_counts_but_not_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "passages").write_text("stored")
    places = {
        output(depth=5, passage_cache_folder=place) for place in ("one", "other", tmp_path, tmp_path / "passages")
    }
    assert len(places) == 1
    assert places != {output(depth=5)}
    assert places != {output(depth=6, passage_cache_folder="one")}
