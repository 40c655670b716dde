"""The table of GPU hours in docs/scale.md is what the arithmetic gives."""

from pathlib import Path

from benchmarks.hours import main, table

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_table_of_the_page_is_up_to_date(capsys) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.strip() in PAGE.read_text(encoding="utf-8")


def test_hours_are_inverse_to_the_peak_and_grow_with_the_tokens() -> None:
    def dev(*sizes: float) -> float:
        last = table(*sizes).splitlines()[-1]
        return float(last.split("|")[4].replace(",", ""))

    assert dev(84, 7, 20, 312, 0.4) == dev(84, 7, 20, 624, 0.2)
    assert dev(84, 7, 20, 31.2, 0.4) > dev(40, 7, 20, 31.2, 0.4)
