"""Collections: passages with an index, queries and qrels."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyserini_qpeft.data.beir import BeirFolder, write_beir_folder, write_qrels
from pyserini_qpeft.data.corpus import Document, corpus_file, iter_documents
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, Topics
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.errors import QPeftError, counted, did_you_mean
from pyserini_qpeft.models.cache import build_once, cache_folder, file_hash


@dataclass(frozen=True)
class Collection:
    """Passages with an index, queries and qrels.

    Attributes:
        name: Name of the collection.
        searcher: Pyserini's `LuceneSearcher`.
        topics: Text of each query.
        qrels: Qrels by split.
        folder: The BEIR folder, if there is one.
    """

    name: str
    searcher: Any
    topics: Topics
    qrels: Mapping[str, Qrels]
    folder: Path | None = None
    _kept: Any = field(default=None, repr=False, compare=False)

    @property
    def documents(self) -> Iterator[Document]:
        """The documents, read from the folder.

        Raises:
            QPeftError: The collection has no folder, because it is one of Pyserini's indexes.
        """
        if self.folder is None:
            raise QPeftError(f"{self.name} has no folder of documents: it is an index of Pyserini's.")
        return iter_documents(self.folder)

    def judged(self, split: str) -> Qrels:
        """The qrels of a split whose queries have a text.

        Raises:
            QPeftError: There is no such split.
        """
        if split not in self.qrels:
            known = ", ".join(self.qrels) or "none"
            raise QPeftError(f"{self.name} has no split {split!r}: there is {known}.{did_you_mean(split, self.qrels)}")
        return {qid: grades for qid, grades in self.qrels[split].items() if qid in self.topics}

    def __repr__(self) -> str:
        splits = ", ".join(f"{split} ({counted(len(qrels), 'query')})" for split, qrels in self.qrels.items())
        documents = counted(self.searcher.num_docs, "document")
        return f"{self.name}: {documents}, {counted(len(self.topics), 'query')}; qrels: {splits}"


def open_collection(folder: Path | str) -> Collection:
    """Open a BEIR folder. Its index is built once and kept in the package's cache.

    Args:
        folder: Folder with `corpus.jsonl`, `queries.jsonl` and `qrels/*.tsv`, gzipped or not.

    Raises:
        QPeftError: A file is missing or broken, or there is no Java.
    """
    from pyserini_qpeft.lucene import build_index, open_searcher

    place = Path(folder)
    files = BeirFolder(place)
    kept = cache_folder() / "indexes" / file_hash(corpus_file(place))[:24]
    index = build_once(kept, lambda partial: _no_result(build_index(place, partial / "index"))) / "index"
    qrels = {split: read_qrels(files.qrels(split)) for split in files.splits}
    return Collection(place.resolve().name, open_searcher(index), read_topics(files.topics), qrels, place)


def open_prebuilt(name: str, split: str = "test") -> Collection:
    """Open one of Pyserini's BEIR collections; Pyserini downloads index, topics and qrels if they are not here.

    Args:
        name: Such as "beir-v1.0.0-fiqa"; the flat index is used.
        split: Split of the topics and qrels.

    Raises:
        QPeftError: Pyserini knows no such name, or the download fails.
    """
    from pyserini_qpeft.lucene import open_searcher
    from pyserini_qpeft.lucene.qrels import named_qrels_file
    from pyserini_qpeft.lucene.topics import named_topics

    qrels = {split: read_qrels(named_qrels_file(f"{name}-{split}"))}
    return Collection(name, open_searcher(f"{name}.flat"), named_topics(f"{name}-{split}"), qrels)


def demo_collection(questions: int | None = None) -> Collection:
    """The documentation of this Python's standard library, with judged questions that come with the package.

    Args:
        questions: How many of the questions, from the first; None is all.
    """
    from pyserini_qpeft.demo.collection import write_collection

    scratch = TemporaryDirectory(prefix="qpeft-")
    folder = Path(scratch.name) / "pydoc"
    write_collection(folder, questions)
    opened = open_collection(folder)
    return Collection(opened.name, opened.searcher, opened.topics, opened.qrels, folder, _kept=scratch)


def new_collection(
    folder: Path | str, documents: Iterable[Mapping[str, str]], topics: Topics, qrels: Mapping[str, Qrels]
) -> Collection:
    """Write a BEIR folder, and open it.

    Args:
        folder: The folder; it is created if needed.
        documents: Mappings with `_id`, `title` and `text`.
        topics: Text of each query.
        qrels: Qrels by split.

    Raises:
        QPeftError: The folder cannot be written to, or there is no Java.
    """
    place = Path(folder)
    corpus = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    first = next(iter(qrels))
    write_beir_folder(place, corpus, topics, qrels[first], first)
    for split, judged in qrels.items():
        write_qrels(place / "qrels" / f"{split}.tsv", judged)
    return open_collection(place)


def _no_result(_: Any) -> None:
    return None
