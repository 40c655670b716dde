"""Write the tables of README.md, RESULTS.md, ARCHITECTURE.md and docs/interop.md.

    python -m docs.scripts.tables

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. Short tables come from the full ones under
results/: figures are copied, never computed; only the interval over seeds, "(low … high)", is left out. The table of
arrows comes from `MAY_IMPORT` in tests/test_package.py. The table of interfaces has the versions of constraints.txt.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "RESULTS.md", "ARCHITECTURE.md", "docs/interop.md")
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True)
class ShortTable:
    """Some rows of one full table.

    Attributes:
        source: File under results/ that holds the full table.
        measure: Heading of the full table.
        rows: Name of each row in the short table, and its name in the full one.
        columns_as_rows: Whether the columns of the full table become the rows of the short one.
    """

    source: str
    measure: str
    rows: Mapping[str, str]
    columns_as_rows: bool = False


TABLES = {
    "readme": ShortTable(
        "smollm2.md",
        "nDCG@10",
        {
            "first stage alone": "first stage",
            "SmolLM2": "SmolLM2/bare, depth 20, fused",
            "tiny": "tiny/R, depth 20, fused",
        },
        columns_as_rows=True,
    ),
    "smollm2": ShortTable(
        "smollm2.md",
        "nDCG@10",
        {
            "first stage": "first stage",
            "SmolLM2, likelihood": "SmolLM2/bare, depth 20",
            "SmolLM2, fused": "SmolLM2/bare, depth 20, fused",
            "tiny, likelihood": "tiny/R, depth 20",
            "tiny, fused": "tiny/R, depth 20, fused",
        },
        columns_as_rows=True,
    ),
    "adapters": ShortTable(
        "adapters.md",
        "nDCG@10",
        {
            "first stage": "first stage",
            "no adapter": "SmolLM2/bare, depth 20",
            "trained words": "SmolLM2/instruction, depth 20",
            "Q-PEFT-R": "SmolLM2/R, depth 20",
            "Q-PEFT-R, shuffled hints": "SmolLM2/R, shuffled hints, depth 20",
            "Q-PEFT-R, random hints": "SmolLM2/R, random hints, depth 20",
            "Q-PEFT-A": "SmolLM2/A, depth 20",
            "Q-PEFT-A, shuffled hints": "SmolLM2/A, shuffled hints, depth 20",
            "LoRA": "SmolLM2/LoRA, depth 20",
            "LoRA and Q-PEFT-R": "SmolLM2/LoRA and R, depth 20",
            "LoRA and Q-PEFT-R, shuffled hints": "SmolLM2/LoRA and R, shuffled hints, depth 20",
            "no adapter, fused": "SmolLM2/bare, depth 20, fused",
            "Q-PEFT-R, fused": "SmolLM2/R, depth 20, fused",
            "Q-PEFT-A, fused": "SmolLM2/A, depth 20, fused",
            "LoRA, fused": "SmolLM2/LoRA, depth 20, fused",
            "LoRA and Q-PEFT-R, fused": "SmolLM2/LoRA and R, depth 20, fused",
        },
    ),
    "shipped": ShortTable(
        "shipped.md",
        "nDCG@10",
        {
            "first stage": "first stage",
            "no adapter, likelihood": "shipped/bare, depth 20",
            "no adapter, fused": "shipped/bare, depth 20, fused (dev)",
            "Q-PEFT-R, likelihood": "shipped/R, depth 20",
            "Q-PEFT-R, fused": "shipped/R, depth 20, fused (dev)",
            "Q-PEFT-A, likelihood": "shipped/A, depth 20",
            "Q-PEFT-A, fused": "shipped/A, depth 20, fused (dev)",
        },
    ),
    "plain": ShortTable(
        "plain.md",
        "nDCG@10",
        {
            "first stage": "first stage",
            "no adapter": "plain/bare, depth 20",
            "prompt tuning": "plain/prompt tuning, depth 20",
            "LoRA": "plain/LoRA, depth 20",
            "Q-PEFT-R": "plain/R, depth 20",
            "Q-PEFT-A": "plain/A, depth 20",
            "Q-PEFT-R, shuffled hints": "plain/R, shuffled hints, depth 20",
            "Q-PEFT-R, listwise loss": "plain/R, listwise loss, depth 20",
            "Q-PEFT-A, listwise loss": "plain/A, listwise loss, depth 20",
            "Q-PEFT-R, listwise loss, shuffled hints": "plain/R, listwise loss, shuffled hints, depth 20",
        },
    ),
}


@dataclass(frozen=True)
class Interface:
    """An interface of another library; its test is that of its module, or of its extra.

    Attributes:
        what: What it is in the terms of the library.
        distribution: The library's name on PyPI; None if the library is not needed.
        module: Its file in pyserini_qpeft/interop; None if the reranker itself is the interface.
        extra: The extra that installs the library, if there is one.
        fuses: Whether it passes first-stage scores on.
    """

    what: str
    distribution: str | None
    module: str | None
    extra: str | None
    fuses: bool = False


INTERFACES = {
    "sentence-transformers": Interface(
        "`CrossEncoder`: the reranker itself", "sentence-transformers", None, "sentence-transformers"
    ),
    "BEIR": Interface("`BeirReranker`", "beir", "beir", "beir", fuses=True),
    "mteb": Interface("`MtebCrossEncoder`", "mteb", "mteb", "mteb"),
    "PyTerrier": Interface("`PyTerrierReranker`", "pyterrier", "pyterrier", "pyterrier", fuses=True),
    "LangChain": Interface(
        "`LangChainCompressor`, `LangChainCrossEncoder`", "langchain-core", "langchain", "langchain"
    ),
    "LlamaIndex": Interface("`LlamaIndexReranker`", "llama-index-core", "llama_index", "llama-index", fuses=True),
    "Haystack": Interface("`HaystackRanker`", "haystack-ai", "haystack", "haystack", fuses=True),
    "rerankers": Interface("`RerankersRanker`", "rerankers", "rerankers", "rerankers"),
    "rank_llm": Interface("`RankLLMReranker`", "rank-llm", "rank_llm", "rank-llm", fuses=True),
    "pygaggle": Interface("`PygaggleReranker`", None, "pygaggle", None, fuses=True),
    "Pyserini's --prcl": Interface("`PrclReranker`, `PrclSearcher`", "pyserini", "pyserini_prcl", None, fuses=True),
}
"""The interfaces, by the name of the library."""


def full_table(text: str, heading: str) -> tuple[list[str], dict[str, list[str]]]:
    """Read one table of a file under results/.

    Args:
        text: The file.
        heading: Heading above the table.

    Returns:
        The names of the columns, and the cells of each row by its name.
    """
    section = text.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return head[1:], {row[0]: row[1:] for row in body}


def short_table(table: ShortTable, folder: Path = ROOT / "results") -> str:
    """Make a short table as Markdown."""
    columns, cells = full_table((folder / table.source).read_text(), table.measure)
    rows = [[label, *map(_without_interval, cells[name])] for label, name in table.rows.items()]
    lines = [[table.measure, *columns], *rows]
    if table.columns_as_rows:
        lines = list(map(list, zip(*lines, strict=True)))
    rule = ["---", *["--:"] * (len(lines[0]) - 1)]
    return "".join(_line(cells) for cells in [lines[0], rule, *lines[1:]])


def arrows() -> str:
    """Make the table of rooms and the rooms that each may import from."""
    tree = ast.parse((ROOT / "tests" / "test_package.py").read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    rooms: dict[str, set[str]] = ast.literal_eval(assigned["MAY_IMPORT"])
    names = {room: ", ".join(f"`{other}`" for other in rooms if other in others) for room, others in rooms.items()}
    rows = [_line([f"`{room}`", others or "–"]) for room, others in names.items()]
    return "".join(["| room | may import from |\n| --- | --- |\n", *rows])


def interfaces() -> str:
    """Make the table of interfaces with the versions that they are tested with."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    rows = []
    for name, one in INTERFACES.items():
        test = f"tests/interop/test_{one.module or (one.extra or '').replace('-', '_')}.py"
        source = f"pyserini_qpeft/interop/{one.module}.py"
        lines = str(len((ROOT / source).read_text().splitlines())) if one.module else "–"
        assert (ROOT / test).exists(), test
        rows.append(
            [
                name,
                one.what,
                f"`{one.extra}`" if one.extra else "–",
                pins[one.distribution] if one.distribution else "–",
                "yes" if one.fuses else "–",
                f"[{test.removeprefix('tests/interop/')}](../{test})",
                lines,
            ]
        )
    head = ["library", "interface", "extra", "version", "first-stage scores", "test", "lines"]
    return "".join(map(_line, [head, [*["---"] * 6, "--:"], *rows]))


def with_tables(text: str) -> str:
    """Return a page with each of its tables made anew."""

    def table(block: re.Match[str]) -> str:
        makers = {"arrows": arrows, "interop": interfaces}
        made = makers[block[2]]() if block[2] in makers else short_table(TABLES[block[2]])
        return f"{block[1]}\n{made}\n{block[4]}"

    return _BLOCK.sub(table, text)


def _without_interval(cell: str) -> str:
    return cell.partition(" (")[0]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Write the tables into their pages."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(with_tables(page.read_text()))


if __name__ == "__main__":
    main()
