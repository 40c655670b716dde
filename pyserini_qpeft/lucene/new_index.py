"""A new index: built in a hidden folder beside its place, and moved there when it is complete."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.data.corpus import Document, iter_documents
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import acquire, release
from pyserini_qpeft.lucene.kinds import DOCIDS, is_faiss_index, is_lucene_index


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts and time of building an index.

    Attributes:
        documents: Documents read from the corpus.
        empty: Documents that no query can find. They are blank or, in a Lucene index, have only stop words.
        seconds: Wall-clock time.
    """

    documents: int
    empty: int
    seconds: float


@contextlib.contextmanager
def new_index(index: Path, *, overwrite: bool) -> Iterator[Path]:
    """Gives the folder to build an index in. It takes the place of `index` if the block ends without an exception.

    Args:
        index: Where the index goes.
        overwrite: Whether to replace an existing index. A folder with anything else is never replaced.

    Raises:
        QPeftError: `index` is taken, another process is building it, or its parent folder does not exist.
    """
    _refuse_if_taken(index, overwrite)
    # Absolute, because Java resolves paths from the folder in which the JVM was started.
    index = index.resolve()
    try:
        lock = acquire(index.with_name(f".{index.name}.lock"))
    except TimeoutError:
        raise QPeftError(f"another process is building {index}: wait for it, or choose another folder.") from None
    building, replaced = (index.with_name(f".{index.name}.{part}") for part in ("building", "replaced"))
    try:
        _clean_up(index, building, replaced)
        _refuse_if_taken(index, overwrite)  # another process may have built it before the lock was taken
        yield building
        if index.exists():
            index.rename(replaced)
        building.rename(index)
    finally:
        _clean_up(index, building, replaced)
        release(lock)


def distinct_documents(corpus: Path) -> Iterator[Document]:
    """The documents of a corpus.

    Raises:
        QPeftError: A docid occurs twice, or the corpus cannot be read.
    """
    seen = set[str]()
    for document in iter_documents(corpus):
        if document.docid in seen:
            raise QPeftError(f"docid {document.docid} occurs twice in {corpus}.")
        seen.add(document.docid)
        yield document


def _refuse_if_taken(index: Path, overwrite: bool) -> None:
    if not index.parent.is_dir():
        raise QPeftError(f"cannot write the index {index}: the folder {index.parent} does not exist.")
    if not index.exists() or (index.is_dir() and not any(index.iterdir())):
        return
    # Other folders have a file `index` too, such as git's.
    if not is_lucene_index(index) and not (is_faiss_index(index) and (index / DOCIDS).is_file()):
        raise QPeftError(f"{index} exists and is not an index: choose another place for the new one.")
    if not overwrite:
        raise QPeftError(f"{index} holds an index already: choose another folder, or replace it with --overwrite.")


def _clean_up(index: Path, building: Path, replaced: Path) -> None:
    """Removes what is not complete, or not needed any more, also after a process was killed."""
    if replaced.exists() and not index.exists():  # stopped between the two moves
        replaced.rename(index)
    for folder in (building, replaced):
        shutil.rmtree(folder, ignore_errors=True)
