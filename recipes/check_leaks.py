"""Proves that no dev or test query, no test document's title and no question of the demo is among the training queries.

Queries are compared normalised: lower-cased, words and numbers only.

Run: `python -m recipes.check_leaks --shared ../shared --pairs FOLDER/pairs.jsonl.gz`. It prints what it compared and
ends with 1 when anything is found.
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyserini_qpeft.data.beir import BeirFolder
from recipes.base_model import sources

DEMO = Path(__file__).parents[1] / "pyserini_qpeft" / "resources" / "demo"
_WORDS = re.compile(r"[^\W_]+")


def normalized(query: str) -> str:
    """The words of a query, lower-cased, compatibility forms folded, one space between them."""
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", query).casefold()))


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Normalised queries that training must not see, each with where it comes from."""

    origins: Mapping[str, str]

    @classmethod
    def read(cls, data: Path, demo: Path = DEMO) -> Self:
        """Collects dev and test queries and titles of test documents of every collection in `data`, and the demo's."""
        origins: dict[str, str] = {}
        for folder in sorted(p for p in data.iterdir() if (p / "queries.jsonl.gz").exists()):
            for split in ("dev", "test"):
                texts = sources.queries(folder)
                for qid in {qid for qid, _ in sources.qrels(folder, split)}:
                    origins.setdefault(normalized(texts[qid]), f"{folder.name} {split}")
            test = sources.judged(folder, "test")
            for row in sources.rows(BeirFolder(folder).corpus) if test else ():
                if row["_id"] in test and row.get("title"):
                    origins.setdefault(normalized(row["title"]), f"{folder.name} title of a test document")
        for query in demo_questions(demo):
            origins.setdefault(normalized(query), "demo")
        origins.pop("", None)
        return cls(origins)

    def holds(self, query: str) -> bool:
        """Whether a query equals a forbidden one."""
        return normalized(query) in self.origins


def demo_questions(folder: Path) -> list[str]:
    """The questions shipped for the demo; none while there is no demo."""
    found: list[str] = []
    for path in (
        sorted(folder.glob("**/queries.jsonl*")) + sorted(folder.glob("**/questions.*")) if folder.exists() else []
    ):
        opened = path.read_text(encoding="utf-8") if path.suffix != ".gz" else ""
        found += re.findall(r'"(?:text|question|query)"\s*:\s*"((?:[^"\\]|\\.)*)"', opened)
        if path.suffix == ".tsv":
            found += [line.split("\t")[1] for line in opened.splitlines() if "\t" in line]
    return found


def leaks(queries: Iterable[str], forbidden: Forbidden) -> Counter[tuple[str, str]]:
    """The (normalised query, origin) pairs found among `queries`, with how often."""
    found: Counter[tuple[str, str]] = Counter()
    for query in queries:
        key = normalized(query)
        if key in forbidden.origins:
            found[key, forbidden.origins[key]] += 1
    return found


def main() -> int:
    from recipes.base_model.pairs import read_pairs

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--pairs", type=Path, required=True, nargs="+")
    arguments = parser.parse_args()
    forbidden = Forbidden.read(arguments.shared / "data")
    for origin, count in sorted(Counter(forbidden.origins.values()).items()):
        print(f"{count:7d}  forbidden: {origin}")
    queries = [
        query for path in arguments.pairs for group in read_pairs(path) for pair in group for query in pair.queries
    ]
    found = leaks(queries, forbidden)
    print(f"{len(queries)} training queries ({len(set(map(normalized, queries)))} distinct), {len(found)} leaks")
    for (query, origin), count in found.most_common(20):
        print(f"  {origin}: {query!r} ({count} times)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
