"""The BEIR layout: a folder with `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; the first two may be `.gz`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.data.files import PathLike, atomic_write, user_write_errors
from pyserini_qpeft.data.records import Qrels, Topics
from pyserini_qpeft.errors import QPeftError, did_you_mean


@dataclass(frozen=True, slots=True)
class BeirFolder:
    """The files of a BEIR folder.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def corpus(self) -> Path:
        """The file of passages.

        Raises:
            QPeftError: The folder has none.
        """
        return self._plain_or_gzipped("corpus.jsonl")

    @property
    def topics(self) -> Path:
        """The file of queries of all splits.

        Raises:
            QPeftError: The folder has none.
        """
        return self._plain_or_gzipped("queries.jsonl")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have qrels, sorted by name."""
        return tuple(sorted(file.stem for file in self.folder.glob("qrels/*.tsv")))

    def qrels(self, split: str) -> Path:
        """The file of qrels of a split.

        Raises:
            QPeftError: The folder has no such split.
        """
        file = self.folder / "qrels" / f"{split}.tsv"
        if not file.is_file():
            known = f"its splits are {', '.join(self.splits)}" if self.splits else "give a BEIR folder"
            raise QPeftError(f"{self.folder} has no qrels/{split}.tsv: {known}.{did_you_mean(split, self.splits)}")
        return file

    def _plain_or_gzipped(self, name: str) -> Path:
        for file in (self.folder / name, self.folder / f"{name}.gz"):
            if file.is_file():
                return file
        raise QPeftError(f"{self.folder} holds no {name} or {name}.gz: give a BEIR folder")


def write_beir_folder(folder: Path, corpus: str, topics: Topics, qrels: Qrels, split: str = "test") -> BeirFolder:
    """Writes a collection as a BEIR folder, which is made if it does not exist.

    Args:
        folder: Where to write.
        corpus: The lines of its corpus.jsonl.
        topics: The queries.
        qrels: The qrels of one split.
        split: The name of that split.

    Raises:
        QPeftError: The folder cannot be written to.
    """
    with user_write_errors(folder / "qrels"):
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "corpus.jsonl") as file:
        file.write(corpus)
    write_topics(folder / "queries.jsonl", topics)
    write_qrels(folder / "qrels" / f"{split}.tsv", qrels)
    return BeirFolder(folder)


def write_topics(path: PathLike, topics: Topics) -> None:
    """Writes queries as BEIR's JSON lines of `_id` and `text`."""
    with atomic_write(path) as file:
        for qid, query in topics.items():
            file.write(json.dumps({"_id": qid, "text": query}, ensure_ascii=False) + "\n")


def write_qrels(path: PathLike, qrels: Qrels) -> None:
    """Writes qrels as BEIR's columns `query-id`, `corpus-id` and `score`, with tabs and a header."""
    with atomic_write(path) as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(_rows(qrels))


def _rows(qrels: Qrels) -> Iterator[str]:
    return (f"{qid}\t{docid}\t{grade}\n" for qid, grades in qrels.items() for docid, grade in grades.items())
