"""Queries that training must not see: dev and test queries, titles of test documents, the questions of the demo.

Queries are compared in a normalised form: words and numbers only, in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyserini_qpeft.data.beir import BeirFolder
from recipes.base_model import sources

DEMO = Path(__file__).parents[2] / "pyserini_qpeft" / "resources" / "demo"
_WORDS = re.compile(r"[^\W_]+")


def normalized(query: str) -> str:
    """Returns the words of a query in lower case, with compatibility forms folded and one space between words."""
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", query).casefold()))


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Normalised queries that training must not see, each with the place that it comes from."""

    origins: Mapping[str, str]

    @classmethod
    def read(cls, data: Path, demo: Path = DEMO) -> Self:
        """Reads the dev and test queries and the test documents' titles of every collection, and the demo's questions.

        Args:
            data: The folder of the collections.
            demo: The folder of the demo's questions.
        """
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
        """Returns whether a query equals a forbidden one."""
        return normalized(query) in self.origins


def demo_questions(folder: Path) -> list[str]:
    """Reads the questions of the demo; an absent folder has none."""
    found: list[str] = []
    for path in (
        sorted(folder.glob("**/queries.jsonl*")) + sorted(folder.glob("**/questions.*")) if folder.exists() else []
    ):
        opened = path.read_text(encoding="utf-8") if path.suffix != ".gz" else ""
        found += re.findall(r'"(?:text|question|query)"\s*:\s*"((?:[^"\\]|\\.)*)"', opened)
        if path.suffix == ".tsv":
            found += [line.split("\t")[1] for line in opened.splitlines() if "\t" in line]
    return found
