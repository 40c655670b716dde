"""Opens an index as one of Pyserini's searchers."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.encoder import open_query_encoder
from pyserini_qpeft.lucene.faiss_index import query_encoder_of, why_it_failed
from pyserini_qpeft.lucene.kinds import DOCIDS, faiss_index_folder, index_folder, is_faiss_index
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.record import ENGLISH, language_of


def open_searcher(index: str | Path, *, encoder: str | None = None, device: str = "cpu") -> Any:
    """Opens a `LuceneSearcher`, or a `FaissSearcher` if the folder holds a Faiss index.

    The searcher has the language, or the encoder, that the index was built with.

    Args:
        index: Folder, or the prebuilt name of a Lucene index.
        encoder: Folder or hub id of the encoder of queries (default: the one that the Faiss index was built with).
        device: Device of the encoder: "cpu", "cuda" or "cuda:N".

    Raises:
        QPeftError: There is no such index, or it needs an encoder that is not there.
    """
    if is_faiss_index(Path(index)):
        return _faiss(index, encoder, device)
    folder = index_folder(index)
    searcher = load_pyserini("pyserini.search.lucene").LuceneSearcher(str(folder))
    if (language := language_of(folder)) != ENGLISH:
        searcher.set_language(language)
    return searcher


def _faiss(index: str | Path, encoder: str | None, device: str) -> Any:
    folder = faiss_index_folder(index)
    if not (folder / DOCIDS).is_file():
        raise QPeftError(f"the Faiss index {index} has no file {DOCIDS}, with the docid of each vector on a line.")
    config = query_encoder_of(folder, encoder=encoder)
    if config is None:  # named for one of Pyserini's classes
        assert encoder is not None
        queries: Any = encoder
    else:
        queries = open_query_encoder(config, device)
    try:
        return load_pyserini("pyserini.search.faiss").FaissSearcher(str(folder), queries)
    except AssertionError as error:
        raise QPeftError(why_it_failed(folder, encoder)) from error
