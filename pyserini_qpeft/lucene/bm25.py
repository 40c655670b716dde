"""BM25 search for a process that does nothing else: quick to open, small in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.jvm import start_jvm
from pyserini_qpeft.lucene.kinds import index_folder
from pyserini_qpeft.lucene.record import ENGLISH, language_of


@dataclass(frozen=True, slots=True)
class StoredHit:
    """A hit with the fields that its index stores.

    Attributes:
        docid: Id of the passage.
        score: BM25 score.
        raw: The document as it was indexed, or None.
        contents: The text that was analysed, or None.
    """

    docid: str
    score: float
    raw: str | None
    contents: str | None


class Bm25Searcher:
    """Searches a Lucene index, as Pyserini's `LuceneSearcher` does with its default settings.

    It calls the same class of Anserini. Pyserini's own class would import torch and transformers, which takes seconds
    and hundreds of megabytes.

    Args:
        index: Folder or prebuilt name.

    Attributes:
        documents: Number of documents in the index.

    Raises:
        QPeftError: There is no such index, it holds no document, or it stores no text.
    """

    def __init__(self, index: str | Path) -> None:
        folder = index_folder(index)
        start_jvm()
        from jnius import autoclass

        self._java: Any = autoclass("io.anserini.search.SimpleSearcher")(str(folder))
        if (language := language_of(folder)) != ENGLISH:
            self._java.set_language(language)
        self.documents = int(self._java.get_total_num_docs())
        if self.documents == 0:
            raise QPeftError(f"the index {index} holds no document.")
        first = self._java.doc(0)
        if not (first.get("raw") or first.get("contents")):
            raise QPeftError(f"the index {index} stores no text: build it with qpeft index, or with -storeRaw.")

    def search(self, query: str, k: int) -> Iterator[StoredHit]:
        """The best hits of a query, best first.

        Args:
            query: The query.
            k: How many hits at most.
        """
        for hit in self._java.search(query, k):
            stored = hit.lucene_document
            yield StoredHit(str(hit.docid), float(hit.score), stored.get("raw"), stored.get("contents"))
