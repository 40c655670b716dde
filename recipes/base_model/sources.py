"""The text that the base models are made of: books, Wikipedia, passages of collections whose licence allows it.

Collections are in the BEIR layout under one folder, as
`../shared/data` has them.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.json_stream import json_objects
from pyserini_qpeft.data.qrels import read_qrels

# The licence of each lets weights made from it be passed on: CC BY-SA, CC BY, ODC-By, MIT.
COLLECTIONS = (
    "squad-v1.1-dev",
    "squad-v1.1-train-sample",
    "squad-sentences-du-test",
    "medquad",
    "scifact",
    "pubmedqa-l",
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text; passages of one `group` (an article, a module, a book) stand near each other."""

    source: str
    group: str
    title: str
    text: str
    docid: str = ""

    @property
    def full(self) -> str:
        """Title, newline, text; an empty title leaves nothing behind."""
        return f"{self.title}\n{self.text}".strip()


def books(path: Path) -> Iterator[str]:
    """The documents of the file of classic books, line breaks inside paragraphs undone."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        lines: list[str] = []
        for line in file:
            if line.strip() == "<|doc|>":
                yield _unwrap("".join(lines))
                lines = []
            else:
                lines.append(line)
        yield _unwrap("".join(lines))


def wikitext(path: Path) -> Iterator[str]:
    """The articles of WikiText with its tokenisation undone."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines: list[str] = []
        for line in file:
            if re.match(r" = [^=]", line) and lines:
                yield _detokenized("\n".join(lines))
                lines = []
            lines.append(line.strip(" =\n"))
        yield _detokenized("\n".join(lines))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file, gzipped or not."""
    return (record for _, record in json_objects(path, what="records"))


def passages(folder: Path) -> list[Passage]:
    """The passages of one collection that training may see.

    Of SQuAD's dev articles those that carry dev or test queries are left out whole; the other collections have no
    such division of their documents, and all of them may be read as text.
    """
    name = folder.name
    kept = []
    held = judged(folder, "dev", "test") if name == "squad-v1.1-dev" else set()
    held_groups = {_group(docid) for docid in held}
    for row in rows(BeirFolder(folder).corpus):
        if row["text"] and _group(row["_id"]) not in held_groups:
            kept.append(Passage(name, _group(row["_id"]), row.get("title") or "", row["text"], row["_id"]))
    return kept


def _group(docid: str) -> str:
    return docid.split("#")[0]


def qrels(folder: Path, split: str) -> Iterator[tuple[str, str]]:
    """The (query id, docid) pairs that a split judges relevant; nothing when the collection lacks the split."""
    beir = BeirFolder(folder)
    if split in beir.splits:
        for qid, grades in read_qrels(beir.qrels(split)).items():
            yield from ((qid, docid) for docid, grade in grades.items() if grade > 0)


def judged(folder: Path, *splits: str) -> set[str]:
    """Ids of the documents that any query of `splits` judges relevant."""
    return {docid for split in splits for _, docid in qrels(folder, split)}


def queries(folder: Path) -> dict[str, str]:
    """Query id to query, of all splits."""
    return {row["_id"]: row["text"] for row in rows(BeirFolder(folder).topics)}


def _unwrap(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n".join(re.sub(r"\s+", " ", p).strip() for p in paragraphs)


def _detokenized(text: str) -> str:
    text = re.sub(r" @(.)@ ", r"\1", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£]) ", r"\1", text)
    text = re.sub(r" ('s|n't|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    text = re.sub(r'" ([^"\n]*?) "', r'"\1"', text)
    return re.sub(r"\n{2,}", "\n", text).strip()
