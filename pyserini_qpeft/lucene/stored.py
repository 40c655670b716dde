"""The passage texts that a Lucene index stores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyserini_qpeft.candidates.texts import from_searcher
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.kinds import index_folder
from pyserini_qpeft.lucene.loading import load_pyserini


class StoredTexts:
    """The passage texts that an index stores, by docid, as a `TextSource`.

    It opens in a second, because it imports neither torch nor the searchers of Pyserini.

    Args:
        index: Folder or prebuilt name.

    Raises:
        QPeftError: There is no such index, or it stores no text.
    """

    def __init__(self, index: str | Path) -> None:
        self._folder = index_folder(index)
        self._reader: Any = load_pyserini("pyserini.index.lucene").LuceneIndexReader(str(self._folder))
        if self._reader.reader.numDocs() == 0:
            raise QPeftError(f"the index {index} holds no document.")
        self._text_of = from_searcher(self)
        first = self._reader.doc(self._reader.convert_internal_docid_to_collection_docid(0))
        if first is None or not (first.raw() or first.contents()):
            raise QPeftError(
                f"the index {index} stores no text (it was built without -storeRaw): give the corpus with --corpus."
            )

    def docids(self) -> Iterator[str]:
        """The docids of the index, in the order in which they are stored."""
        for number in range(self._reader.reader.maxDoc()):
            yield self._reader.convert_internal_docid_to_collection_docid(number)

    def doc(self, docid: str) -> Any | None:
        """Pyserini's document of a docid, as a searcher's `doc` returns it; None for an unknown docid."""
        return self._reader.doc(docid)

    def __call__(self, docid: str) -> str | None:
        """The passage text of a docid; None for an unknown docid."""
        return self._text_of(docid)
