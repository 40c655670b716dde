"""Corpora in the BEIR layout: one JSON document a line."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pyserini_qpeft.data.fields import DOCID_FIELDS, as_id, first_of
from pyserini_qpeft.data.files import PathLike, numbered_lines, parse_json
from pyserini_qpeft.data.passage import TEXT_FIELDS, passage_text, title_and_text
from pyserini_qpeft.errors import QPeftError

__all__ = ["Corpus", "Document", "corpus_file", "iter_documents", "passage_text"]

# Most corpora begin each line with the id, which tells without parsing that a document is not wanted.
_LEADING_ID = re.compile(r'\s*\{\s*"(?:_id|id|docid|doc_id)"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it is in the corpus."""

    docid: str
    title: str
    text: str


class Corpus(Mapping[str, str]):
    """The passages of a corpus by docid, each as `passage_text` of its title and text."""

    def __init__(self, passages: Mapping[str, str]) -> None:
        self._passages = passages

    @classmethod
    def open(cls, path: PathLike, docids: Collection[str] | None = None) -> Self:
        """Reads a corpus once, from top to bottom.

        Args:
            path: BEIR folder, or its `corpus.jsonl[.gz]`, or Pyserini's `{"id", "contents"}` lines.
            docids: Those to keep in memory; all when not given. One that the corpus has not is no error here.

        Raises:
            QPeftError: No corpus there, a line that is no document, or a docid with two different texts.
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
    """Yields the documents of a corpus in file order, none kept in memory.

    Raises:
        QPeftError: No corpus there, or a line that is no document.
    """
    return (document for _, document in _documents(corpus_file(path), None))


def corpus_file(path: PathLike) -> Path:
    """The corpus file that `path` is, or that is in the BEIR folder `path`.

    Raises:
        QPeftError: There is none.
    """
    place = Path(path)
    if not place.is_dir():
        return place
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (place / name).is_file():
            return place / name
    raise QPeftError(f"{path} holds no corpus.jsonl or corpus.jsonl.gz: give a BEIR folder or a .jsonl[.gz] file")


def _documents(file: Path, wanted: frozenset[str] | None) -> Iterator[tuple[str, Document]]:
    empty = True
    for number, line in numbered_lines(file):
        empty = False
        if wanted is not None and (lead := _LEADING_ID.match(line)) and lead[1] not in wanted:
            continue
        where = f"{file}:{number}"
        document = _document(parse_json(line, file, number), where)
        if wanted is None or document.docid in wanted:
            yield where, document
    if empty:
        raise QPeftError(f"{file} is empty, where a corpus was expected")


def _document(fields: Any, where: str) -> Document:
    if not isinstance(fields, dict):
        raise QPeftError(f'{where}: not a document: expected {{"_id": …, "title": …, "text": …}}')
    docid = as_id(first_of(fields, DOCID_FIELDS), where, "the document's _id")
    parts = title_and_text(fields)
    if parts is None:
        raise QPeftError(f"{where}: document {docid} has no text (looked for {', '.join(TEXT_FIELDS)})")
    return Document(docid, *parts)
