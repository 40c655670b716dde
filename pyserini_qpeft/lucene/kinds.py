"""Lucene and Faiss indexes: how to tell them apart, and the folder of one that is given by path or prebuilt name."""

from collections.abc import Callable
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini

VECTORS, DOCIDS = "index", "docid"
"""The files of a Faiss index in Pyserini's layout: the vectors, and their docids, one per line."""


def is_lucene_index(folder: Path) -> bool:
    """Whether a folder holds a Lucene index. Every index has a file `segments_N`."""
    return folder.is_dir() and any(folder.glob("segments_*"))


def is_faiss_index(folder: Path) -> bool:
    """Whether a folder holds a Faiss index in Pyserini's layout, with or without its docids."""
    return (folder / VECTORS).is_file()


def index_folder(index: str | Path) -> Path:
    """The absolute folder of a Lucene index. A prebuilt index is downloaded if it is not in Pyserini's cache.

    Args:
        index: Folder, or one of Pyserini's prebuilt names.

    Raises:
        QPeftError: There is no such folder or name, it is not a Lucene index, or the download fails.
    """
    return _folder(index, "Lucene", is_lucene_index)


def faiss_index_folder(index: str | Path) -> Path:
    """The absolute folder of a Faiss index, as `index_folder` finds that of a Lucene index."""
    return _folder(index, "Faiss", is_faiss_index)


def _folder(index: str | Path, kind: str, is_index: Callable[[Path], bool]) -> Path:
    folder = Path(index).absolute()  # Java resolves paths from the folder in which the JVM was started
    if is_index(folder):
        return folder
    if folder.exists():
        other = is_lucene_index(folder) or is_faiss_index(folder)
        holds = "an index of the other kind" if other else _lacking(kind)
        raise QPeftError(f"{index} is not a {kind} index: it holds {holds}.")
    util = load_pyserini("pyserini.util")
    try:
        return Path(util.download_prebuilt_index(str(index), verbose=False))
    except ValueError as error:
        if "Unrecognized" in str(error):
            raise QPeftError(f"{index} is neither a folder nor a prebuilt index that Pyserini knows.") from error
        raise QPeftError(f"the prebuilt index {index} could not be downloaded: {error}.") from error


def _lacking(kind: str) -> str:
    return "no segments file" if kind == "Lucene" else f"no file {VECTORS}"
