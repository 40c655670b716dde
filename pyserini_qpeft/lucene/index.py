"""Builds a Lucene index of a corpus with the settings of Anserini's flat BEIR indexes."""

import re
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.passage import passage_text
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.new_index import IndexReport, distinct_documents, new_index
from pyserini_qpeft.lucene.record import ENGLISH, write_record

# As the published flat indexes: positions for phrase queries, vectors for RM3 and Rocchio, and the texts.
_KEPT = ("-storePositions", "-storeDocvectors", "-storeRaw")


def build_index(
    corpus: Path, index: Path, *, language: str = ENGLISH, overwrite: bool = False, progress: bool = False
) -> IndexReport:
    """Indexes a corpus: one field, `contents` (title, newline, text), and the text stored as `raw` JSON.

    The index is built in a hidden folder beside `index`, which is renamed when the index is complete.

    Args:
        corpus: BEIR folder, or file of JSON documents.
        index: Folder to write.
        language: Language code of the analysis, such as "zh". It is kept with the index, and searches use it.
        overwrite: Whether to replace an existing index. A folder with anything else is never replaced.
        progress: Whether to show a progress bar.

    Raises:
        QPeftError: The folder exists, Anserini has no analysis for the language, a docid occurs twice, no document has
            a word to index, or Lucene cannot write.
    """
    started = time.perf_counter()
    with new_index(index, overwrite=overwrite) as folder:
        tally = _write(corpus, folder, language, progress)
        if tally.findable == 0:
            raise QPeftError(f"{corpus} holds no document with a word to index.")
        if tally.kept < tally.with_text:
            raise QPeftError(f"Lucene kept {tally.kept} of {tally.with_text} documents of {corpus}: is the disk full?")
        write_record(folder, {"language": language})
    return IndexReport(tally.read, tally.read - tally.findable, time.perf_counter() - started)


@dataclass(slots=True)
class _Tally:
    read: int = 0  # documents in the corpus
    with_text: int = 0  # documents in the corpus that are not blank
    kept: int = 0  # documents in the index
    findable: int = 0  # documents in the index that have a term


def _write(corpus: Path, folder: Path, language: str, progress: bool) -> _Tally:
    from tqdm import tqdm

    lucene = load_pyserini("pyserini.index.lucene")
    from jnius import JavaException

    _refuse_unknown(language)
    tally = _Tally()
    try:
        indexer = lucene.LuceneIndexer(args=["-index", str(folder), "-language", language, *_KEPT], threads=1)
        try:
            for document in tqdm(distinct_documents(corpus), desc="index", unit="doc", disable=not progress):
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


def _refuse_unknown(language: str) -> None:
    """Anserini itself accepts any code, and analyses a language that it does not know by white space alone."""
    from jnius import autoclass

    known = {ENGLISH, *autoclass("io.anserini.analysis.AnalyzerMap").analyzerMap.keySet().toArray()}
    if language not in known:
        raise QPeftError(f"Anserini has no analysis for language {language!r}: use one of {', '.join(sorted(known))}.")


def _reason(error: Any) -> str:
    """The first cause of a Java exception. The last one often says only that the writer is closed."""
    lines = error.stacktrace or [str(error.innermessage)]
    causes = [line for above, line in pairwise(lines) if above == "Caused by:"]
    return re.sub(r"^(\w+\.)+", "", (causes or lines[:1])[-1])
