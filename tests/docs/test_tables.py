"""The tables of the pages agree with what they are made from."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
tables = runpy.run_path(str(ROOT / "docs" / "scripts" / "tables.py"))

FULL = """# Some results

### nDCG@10

| run | A | B |
|-----|---|---|
| one |                0.1234* | – |
| two | 0.5 (0.4321 … 0.6)     | 1 |

### RR@10

| run | A |
|-----|---|
| one | 9 |
"""


@pytest.mark.parametrize("page", tables["PAGES"])
def test_the_tables_of_a_page_are_up_to_date(page: str) -> None:
    text = (ROOT / page).read_text()
    assert tables["with_tables"](text) == text, "run python -m docs.scripts.tables"
    assert "<!-- table: " in text


def test_every_short_table_is_on_a_page() -> None:
    text = "".join((ROOT / page).read_text() for page in tables["PAGES"])
    for name in tables["TABLES"]:
        assert f"<!-- table: {name} -->" in text


def test_a_short_table_copies_the_cells_of_its_rows(tmp_path: Path) -> None:
    (tmp_path / "full.md").write_text(FULL)
    table = tables["ShortTable"]("full.md", "nDCG@10", {"second": "two", "first": "one"})
    assert tables["short_table"](table, tmp_path).splitlines() == [
        "| nDCG@10 | A | B |",
        "| --- | --: | --: |",
        "| second | 0.5 | 1 |",
        "| first | 0.1234* | – |",
    ]


def test_columns_can_become_rows(tmp_path: Path) -> None:
    (tmp_path / "full.md").write_text(FULL)
    table = tables["ShortTable"]("full.md", "RR@10", {"first": "one"}, columns_as_rows=True)
    assert tables["short_table"](table, tmp_path).splitlines() == ["| RR@10 | first |", "| --- | --: |", "| A | 9 |"]


@pytest.mark.parametrize("name", ["plain", "shipped", "smollm2"])
def test_a_full_table_says_which_command_made_it(name: str) -> None:
    head = (ROOT / "results" / f"{name}.md").read_text().split("###")[0]
    assert f"qpeft experiment recipes/results/{name}.yaml" in head
    assert (ROOT / "recipes" / "results" / f"{name}.yaml").is_file()


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "pyserini_qpeft").glob("*/__init__.py")]
    assert [room for room in rooms if f"| `{room}/` |" not in text] == []


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path in re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", text):
        assert (ROOT / path).exists() or (ROOT / "pyserini_qpeft" / path).exists(), path
