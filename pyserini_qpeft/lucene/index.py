"""Builds a Lucene index of a corpus with the settings of Anserini's flat BEIR indexes."""

import os
import re
import shutil
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.stored import is_index

# As the published flat indexes: positions for phrase queries, vectors for RM3 and Rocchio, and the texts.
_KEPT = ("-storePositions", "-storeDocvectors", "-storeRaw")


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts and time of building an index.

    Attributes:
        documents: Documents read from the corpus.
        empty: Documents that no query can find because analysis left no term (blank, or only stop words).
        seconds: Wall-clock time.
    """

    documents: int
    empty: int
    seconds: float


def build_index(corpus: Path, index: Path, *, overwrite: bool = False, progress: bool = False) -> IndexReport:
    """Indexes a corpus: one field, `contents` (title, newline, text), and the text stored as `raw` JSON.

    The index is built in a hidden folder beside `index`, which is renamed when the index is complete.

    Args:
        corpus: BEIR folder, or file of JSON documents.
        index: Folder to write.
        overwrite: Whether to replace an existing index. A folder with anything else is never replaced.
        progress: Whether to show a progress bar.

    Raises:
        QPeftError: The folder exists, a docid occurs twice, no document has a word to index, or Lucene cannot write.
    """
    started = time.perf_counter()
    _refuse_if_taken(index, overwrite)
    # Absolute, because Java resolves paths from the folder in which the JVM was started.
    building = index.parent.absolute() / f".{index.name}.building-{os.getpid()}"
    try:
        tally = _write(corpus, building, progress)
        if tally.findable == 0:
            raise QPeftError(f"{corpus} holds no document with a word to index.")
        if tally.kept < tally.with_text:
            raise QPeftError(f"Lucene kept {tally.kept} of {tally.with_text} documents of {corpus}: is the disk full?")
        _move(building, index)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return IndexReport(tally.read, tally.read - tally.findable, time.perf_counter() - started)


@dataclass(slots=True)
class _Tally:
    read: int = 0  # documents in the corpus
    with_text: int = 0  # documents in the corpus that are not blank
    kept: int = 0  # documents in the index
    findable: int = 0  # documents in the index that have a term


def _refuse_if_taken(index: Path, overwrite: bool) -> None:
    if not index.parent.is_dir():
        raise QPeftError(f"cannot write the index {index}: the folder {index.parent} does not exist.")
    if not index.exists() or (index.is_dir() and not any(index.iterdir())):
        return
    if not is_index(index):
        raise QPeftError(f"{index} exists and is not a Lucene index: choose another place for the new one.")
    if not overwrite:
        raise QPeftError(f"{index} holds an index already: choose another folder, or replace it with --overwrite.")


def _write(corpus: Path, folder: Path, progress: bool) -> _Tally:
    from tqdm import tqdm

    from pyserini_qpeft.data.corpus import iter_documents, passage_text

    lucene = load_pyserini("pyserini.index.lucene")
    from jnius import JavaException

    tally, seen = _Tally(), set[str]()
    try:
        indexer = lucene.LuceneIndexer(args=["-index", str(folder), *_KEPT], threads=1)
        try:
            for document in tqdm(iter_documents(corpus), desc="index", unit="doc", disable=not progress):
                if document.docid in seen:
                    raise QPeftError(f"docid {document.docid} occurs twice in {corpus}.")
                seen.add(document.docid)
                tally.read += 1
                contents = passage_text(document.title, document.text)
                if any(letter > " " for letter in contents):  # Anserini refuses a text that Java's trim() empties
                    tally.with_text += 1
                    indexer.add_doc_dict({"id": document.docid, "contents": contents})
        finally:
            indexer.close()
        reader = lucene.LuceneIndexReader(str(folder))
        statistics = reader.stats()
        reader.reader.close()
    except JavaException as error:
        raise QPeftError(f"Lucene could not write an index of {corpus}: {_reason(error)}.") from error
    tally.kept, tally.findable = statistics["documents"], statistics["non_empty_documents"]
    return tally


def _reason(error: Any) -> str:
    """The first cause of a Java exception. The last one often says only that the writer is closed."""
    lines = error.stacktrace or [str(error.innermessage)]
    causes = [line for above, line in pairwise(lines) if above == "Caused by:"]
    return re.sub(r"^(\w+\.)+", "", (causes or lines[:1])[-1])


def _move(building: Path, index: Path) -> None:
    replaced = building.with_name(f".{index.name}.replaced-{os.getpid()}")
    if index.exists():
        index.rename(replaced)
    building.rename(index)
    shutil.rmtree(replaced, ignore_errors=True)
