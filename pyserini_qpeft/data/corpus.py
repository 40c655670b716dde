"""Corpora as JSON: BEIR folders, JSON lines, arrays of documents, in plain or gzipped files."""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.fields import DOCID_FIELDS, TEXT_FIELDS, as_id, first_of
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.irds import irds_documents, is_irds
from pyserini_qpeft.data.json_stream import json_objects
from pyserini_qpeft.data.passage import passage_text, title_and_text
from pyserini_qpeft.errors import QPeftError

__all__ = ["Corpus", "Document", "corpus_file", "iter_documents", "passage_text"]

_LOG = logging.getLogger(__name__)
_LEADING_ID = re.compile(rf'\s*\{{\s*"({"|".join(DOCID_FIELDS)})"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a corpus, with title and text apart."""

    docid: str
    title: str
    text: str


class Corpus(Mapping[str, str]):
    """The passages of a corpus by docid. Each is the `passage_text` of its title and text."""

    def __init__(self, passages: Mapping[str, str]) -> None:
        self._passages = passages

    @classmethod
    def open(cls, path: PathLike, docids: Collection[str] | None = None) -> Self:
        """Reads a corpus once, from top to bottom.

        Args:
            path: BEIR folder, a file of JSON documents, gzipped or not, or a name of ir_datasets (`irds:beir/scifact`).
            docids: The docids to keep in memory (default: all). A docid that the corpus lacks is no error here.

        Raises:
            QPeftError: There is no corpus, a record is not a document, or a docid has two different texts. If `docids`
                are given, other records that are not documents are counted in a warning.
        """
        wanted = None if docids is None else frozenset(docids)
        passages: dict[str, str] = {}
        for where, document in _documents(corpus_file(path), wanted):
            text = passage_text(document.title, document.text)
            if passages.setdefault(document.docid, text) != text:
                raise QPeftError(f"{where}: docid {document.docid} occurs a second time, with another text")
        return cls(passages)

    def __getitem__(self, docid: str) -> str:
        return self._passages[docid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._passages)

    def __len__(self) -> int:
        return len(self._passages)


def iter_documents(path: PathLike) -> Iterator[Document]:
    """Yields the documents of a corpus in file order and keeps none in memory.

    Raises:
        QPeftError: There is no corpus, or a record is not a document.
    """
    return (document for _, document in _documents(corpus_file(path), None))


def corpus_passages(path: PathLike) -> Iterator[tuple[str, str]]:
    """Yields docid and passage of each document of a corpus, in file order, and keeps none in memory.

    Raises:
        QPeftError: There is no corpus. Records that are not documents are counted in a warning.
    """
    for _, document in _documents(corpus_file(path), None, lenient=True):
        yield document.docid, passage_text(document.title, document.text)


def corpus_file(path: PathLike) -> Path:
    """The corpus file that `path` is, or that is in the BEIR folder `path`.

    Raises:
        QPeftError: The folder has no corpus file.
    """
    place = Path(path)
    return BeirFolder(place).corpus if place.is_dir() else place


def _documents(file: Path, wanted: frozenset[str] | None, *, lenient: bool = False) -> Iterator[tuple[str, Document]]:
    if is_irds(file):
        for docid, title, body in irds_documents(file):
            if wanted is None or docid in wanted:
                yield f"{file} ({docid})", Document(docid, title, body)
        return
    skip = None if wanted is None else _begins_with_another_id(wanted)
    bad, first = 0, ""
    for where, fields in json_objects(file, what="a corpus", skip=skip):
        try:
            document = _document(fields, where)
        except QPeftError as error:
            needed = wanted is None or str(first_of(fields, DOCID_FIELDS)) in wanted
            if needed and not lenient:
                raise
            bad, first = bad + 1, first or str(error)
            continue
        if wanted is None or document.docid in wanted:
            yield where, document
    if bad:
        unneeded = "" if lenient else "that no query needs "
        _LOG.warning("%d records %sare not documents and are left out, first %s", bad, unneeded, first)


def _begins_with_another_id(wanted: frozenset[str]) -> Callable[[str], bool]:
    """A quick test, without parsing, of whether the document on a line has another id than the wanted ones."""

    def unwanted(line: str) -> bool:
        lead = _LEADING_ID.match(line)
        if lead is None or lead[2] in wanted:
            return False
        stronger = DOCID_FIELDS[: DOCID_FIELDS.index(lead[1])]
        return not any(f'"{name}"' in line for name in stronger)

    return unwanted


def _document(fields: Mapping[str, Any], where: str) -> Document:
    docid = as_id(first_of(fields, DOCID_FIELDS), where, "the document's _id")
    parts = title_and_text(fields)
    if parts is None:
        raise QPeftError(f"{where}: document {docid} has no text (looked for {', '.join(TEXT_FIELDS)})")
    return Document(docid, *parts)
