"""The training text of the base models: books, Wikipedia, and passages of collections with a suitable licence.

Collections are in the BEIR layout in one folder, such as `../shared/data`.
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
    """A piece of text; passages of one `group` are from one article, module or book."""

    source: str
    group: str
    title: str
    text: str
    docid: str = ""

    @property
    def full(self) -> str:
        """Title, newline and text; the text only if the title is empty."""
        return f"{self.title}\n{self.text}".strip()


def books(path: Path) -> Iterator[str]:
    """Yields the documents of the file of classic books, without line breaks inside paragraphs."""
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
    """Yields the articles of WikiText, with its tokenisation undone."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines: list[str] = []
        for line in file:
            if re.match(r" = [^=]", line) and lines:
                yield _detokenized("\n".join(lines))
                lines = []
            lines.append(line.strip(" =\n"))
        yield _detokenized("\n".join(lines))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of a JSONL file, gzipped or not."""
    return (record for _, record in json_objects(path, what="records"))


def passages(folder: Path) -> list[Passage]:
    """Returns the passages of a collection that training may read.

    Articles of SQuAD with dev or test queries are left out. The other collections do not divide their documents into
    splits, so all of them are read.
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
    """Yields the relevant (query id, docid) pairs of a split; none if the collection does not have the split."""
    beir = BeirFolder(folder)
    if split in beir.splits:
        for qid, grades in read_qrels(beir.qrels(split)).items():
            yield from ((qid, docid) for docid, grade in grades.items() if grade > 0)


def judged(folder: Path, *splits: str) -> set[str]:
    """Returns the ids of the documents that are relevant to any query of `splits`."""
    return {docid for split in splits for _, docid in qrels(folder, split)}


def queries(folder: Path) -> dict[str, str]:
    """Returns the queries of all splits by id."""
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
