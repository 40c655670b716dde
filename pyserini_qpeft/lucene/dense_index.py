"""Builds a Faiss index of a corpus in Pyserini's layout: a file of vectors and a file of docids."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np

from pyserini_qpeft.data.corpus import Document
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.encoder import PassageEncoder, Vectors, open_passage_encoder
from pyserini_qpeft.lucene.encoder_config import EncoderConfig, completed
from pyserini_qpeft.lucene.faiss_index import weights_fingerprint
from pyserini_qpeft.lucene.kinds import DOCIDS, VECTORS
from pyserini_qpeft.lucene.new_index import IndexReport, distinct_documents, new_index
from pyserini_qpeft.lucene.record import write_record

_SORTED_TOGETHER = 64
"""Batches whose passages are sorted by length, so that a batch has little padding."""


@dataclass(frozen=True, slots=True)
class EncodingConfig:
    """How fast passages are encoded. The vectors do not depend on it, apart from rounding.

    Raises:
        QPeftError: The batch size is not positive.
    """

    device: str = field(default="cpu", metadata={"help": "device of the encoder: cpu, cuda or cuda:N"})
    batch_size: int = field(default=64, metadata={"help": "passages that are encoded together"})

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise QPeftError(f"the batch size of the encoder must be positive, not {self.batch_size}.")


def build_dense_index(
    corpus: Path,
    index: Path,
    config: EncoderConfig,
    encoding: EncodingConfig | None = None,
    *,
    overwrite: bool = False,
    progress: bool = False,
) -> IndexReport:
    """Encodes a corpus into a flat inner-product Faiss index. The encoder and its settings are kept with the index.

    The index is built in a hidden folder beside `index`, which is renamed when the index is complete. Blank documents
    are left out, as Lucene leaves them out.

    Args:
        corpus: BEIR folder, or file of JSON documents.
        index: Folder to write.
        config: The encoder.
        encoding: Device and batch size.
        overwrite: Whether to replace an existing index. A folder with anything else is never replaced.
        progress: Whether to show a progress bar.

    Raises:
        QPeftError: The folder exists, the encoder cannot be loaded or gives a vector that is not finite, a docid occurs
            twice or has a line break, or no document has a text.
    """
    from tqdm import tqdm

    started = time.perf_counter()
    encoding = encoding or EncodingConfig()
    config = completed(config)
    documents = _Documents(distinct_documents(corpus))
    with new_index(index, overwrite=overwrite) as folder:
        encode = open_passage_encoder(config, encoding.device)
        folder.mkdir()
        with tqdm(desc="encode", unit="doc", disable=not progress) as bar:
            vectors = _write(documents, folder, encode, encoding.batch_size, bar)
        if vectors is None:
            raise QPeftError(f"{corpus} holds no document with a text.")
        write_record(folder, {"encoder": config.as_record(), "weights": weights_fingerprint(config.encoder)})
    return IndexReport(documents.read, documents.read - vectors.ntotal, time.perf_counter() - started)


class _Documents:
    """The documents that have a text, and the number of all that were read."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.read = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.read += 1
            if document.title.strip() or document.text.strip():
                yield document


def _write(documents: _Documents, folder: Path, encode: PassageEncoder, batch_size: int, bar: Any) -> Any:
    """Writes both files; the Faiss index, or None if there are no documents."""
    import faiss

    vectors = None
    with (folder / DOCIDS).open("w", encoding="utf-8", newline="\n") as docids:
        for chunk in batched(documents, batch_size * _SORTED_TOGETHER):
            docids.writelines(f"{_one_line(document.docid)}\n" for document in chunk)
            found = _encoded(encode, chunk, batch_size, bar)
            if vectors is None:
                vectors = faiss.IndexFlatIP(found.shape[1])
            vectors.add(found)
    if vectors is not None:
        try:
            faiss.write_index(vectors, str(folder / VECTORS))
        except RuntimeError as error:
            raise QPeftError(f"Faiss could not write the vectors into {folder.parent}: is the disk full?") from error
    return vectors


def _one_line(docid: str) -> str:
    """A docid as Pyserini reads it back: it strips white space from the end of a line."""
    if docid != docid.rstrip() or "\n" in docid or "\r" in docid:
        raise QPeftError(f"docid {docid!r} ends in white space or has a line break, and Pyserini cannot read it back.")
    return docid


def _encoded(encode: PassageEncoder, documents: tuple[Document, ...], size: int, bar: Any) -> Vectors:
    """The vectors of documents, in their order."""
    order = sorted(range(len(documents)), key=lambda place: len(documents[place].title) + len(documents[place].text))
    batches = []
    for places in batched(order, size):
        try:
            batch = encode([documents[i].title for i in places], [documents[i].text for i in places])
        except (IndexError, RuntimeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            first = documents[places[0]].docid
            raise QPeftError(f"the encoder failed on document {first} or the next {size - 1}: {reason}.") from error
        if not np.isfinite(batch).all():
            bad = documents[places[int(np.argmin(np.isfinite(batch).all(axis=1)))]]
            raise QPeftError(f"the encoder gives document {bad.docid} a vector that is not finite.")
        batches.append(batch)
        bar.update(len(places))
    vectors = np.concatenate(batches)
    ordered = np.empty_like(vectors)
    ordered[order] = vectors
    return ordered
