"""Opens Lucene indexes by folder or prebuilt name, and reads the texts that they store."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.candidates.texts import from_searcher
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini


def is_index(folder: Path) -> bool:
    """Whether a folder holds a Lucene index. Every index has a file `segments_N`."""
    return folder.is_dir() and any(folder.glob("segments_*"))


def index_folder(index: str | Path) -> Path:
    """The absolute folder of an index. A prebuilt index is downloaded if it is not in Pyserini's cache.

    Args:
        index: Folder, or one of Pyserini's prebuilt names.

    Raises:
        QPeftError: There is no such folder or name, or the download fails.
    """
    folder = Path(index).absolute()  # Java resolves paths from the folder in which the JVM was started
    if is_index(folder):
        return folder
    if folder.exists():
        raise QPeftError(f"{index} is not a Lucene index: it holds no segments file.")
    util = load_pyserini("pyserini.util")
    try:
        return Path(util.download_prebuilt_index(str(index), verbose=False))
    except ValueError as error:
        if "Unrecognized" in str(error):
            raise QPeftError(f"{index} is neither a folder nor a prebuilt index that Pyserini knows.") from error
        raise QPeftError(f"the prebuilt index {index} could not be downloaded: {error}.") from error


def open_searcher(index: str | Path) -> Any:
    """A Pyserini `LuceneSearcher` over an index folder or prebuilt name."""
    return load_pyserini("pyserini.search.lucene").LuceneSearcher(str(index_folder(index)))


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

    def doc(self, docid: str) -> Any | None:
        """Pyserini's document of a docid, as a searcher's `doc` returns it; None for an unknown docid."""
        return self._reader.doc(docid)

    def __call__(self, docid: str) -> str | None:
        """The passage text of a docid; None for an unknown docid."""
        return self._text_of(docid)
