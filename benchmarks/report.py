"""The measured tables, as text, JSON and a plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.machine import Machine
from benchmarks.options import Options
from benchmarks.plots import draw
from benchmarks.turns import Spread
from pyserini_qpeft.evaluation.plots.drawing import save_plot

JSON, TABLES, PLOT = "benchmark.json", "benchmark.md", "benchmark.png"
_PRIVATE = ("shared", "output")  # folders of this machine


@dataclass
class Report:
    """The rows of all tables so far; they are written to disk after each row.

    Attributes:
        options: The options of the command line.
        machine: The machine.
        source: Where the texts come from.
        tables: Rows by table.
    """

    options: Options
    machine: Machine
    source: str
    tables: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, table: str, row: Any) -> None:
        """Adds a row and writes all tables to disk."""
        self.tables.setdefault(table, []).append(row)
        (self.options.output / JSON).write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
        (self.options.output / TABLES).write_text(self.as_text(), encoding="utf-8")

    def save_plot(self) -> Path | None:
        """Draws the plot and returns its file; None if no table has a plot."""
        figure = draw(self.tables)
        if figure is None:
            return None
        path = self.options.output / PLOT
        save_plot(figure, path)
        return path

    def as_json(self) -> dict[str, Any]:
        """Returns the report as plain values."""
        asked = {name: value for name, value in asdict(self.options).items() if name not in _PRIVATE}
        tables = {name: [asdict(row) for row in rows] for name, rows in self.tables.items()}
        return {"machine": asdict(self.machine), "options": asked, "texts": self.source, "tables": tables}

    def as_text(self) -> str:
        """Returns the report as Markdown."""
        machine = self.machine
        where = machine.gpu or f"{machine.processor}, {machine.cores} cores, {machine.threads} threads"
        packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
        parts = [f"{where}; {packages}\n{self.source}\nIn brackets: lowest and highest value of the rounds."]
        parts += [f"{name}\n\n{table_of(rows)}" for name, rows in self.tables.items()]
        return "\n\n".join(parts) + "\n"


def table_of(rows: Sequence[Any]) -> str:
    """Returns rows of one dataclass as a Markdown table; empty columns are left out."""
    names = [f.name for f in fields(rows[0]) if any(getattr(row, f.name) is not None for row in rows)]
    cells = [{name.replace("_", " "): _cell(name, getattr(row, name)) for name in names} for row in rows]
    return tabulate(_as_columns(cells), headers="keys", tablefmt="pipe", disable_numparse=True)


def _as_columns(cells: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    return {name: [row[name] for row in cells] for name in cells[0]}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Spread):
        return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if name.endswith("_share"):
        return f"{value:.1%}"
    if name.endswith("_difference"):
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
