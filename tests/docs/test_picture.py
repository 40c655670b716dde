"""The picture of the README shows what the demo gave."""

import re
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
script = runpy.run_path(str(ROOT / "docs" / "scripts" / "picture.py"))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """What `qpeft demo` leaves: one query, of which the twelfth of twelve hits answers and rises to the third place."""
    (tmp_path / "collection" / "qrels").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "collection" / "queries.jsonl").write_text('{"_id": "q1", "text": "less < more"}\n')
    (tmp_path / "collection" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tname.12\t2\n")
    before = [f"name.{number}" for number in range(1, 13)]
    after = [*before[:2], before[-1], *before[2:-1]]
    for name, docids in (("bm25", before), ("fused", after)):
        lines = [f"q1 Q0 {docid} {rank} {1 / rank} {name}\n" for rank, docid in enumerate(docids, start=1)]
        (tmp_path / "runs" / f"{name}.trec").write_text("".join(lines))
    return tmp_path


def test_both_lists_are_drawn_with_the_rank_before(demo: Path) -> None:
    shown = texts(script["draw_from_demo"](demo, "q1"))
    assert shown[0] == "“less < more”"
    names = [text for text in shown if text.startswith("name.")]
    assert names[::2] == [f"name.{number}" for number in range(1, 11)]
    assert names[1::2][:4] == ["name.1", "name.2", "name.12", "name.3"]
    assert [text for text in shown if text.startswith("was")][:2] == ["was 12", "was 3"]
    assert "0.000 → 0.500" in shown[-1]


def test_a_long_name_keeps_its_last_parts() -> None:
    svg = script["picture"]("q", ["package.of.a.very.long.name.function"], ["package.of.a.very.long.name.function"], {})
    assert "…of.a.very.long.name.function" in texts(svg)


def test_the_picture_in_the_tree_is_whole() -> None:
    shown = texts((ROOT / "docs" / "images" / "before-after.svg").read_text())
    assert len([text for text in shown if re.fullmatch(r"\d+", text)]) == 20
    assert re.search(r"0\.\d{3} → 0\.\d{3}", shown[-1])
