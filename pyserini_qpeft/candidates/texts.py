"""Sources of passage texts by docid: mappings, corpora, searchers and the fields that a Lucene index stores."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from pyserini_qpeft.data.passage import document_text, passage_text
from pyserini_qpeft.errors import QPeftError

TextSource = Callable[[str], str | None]
"""Returns the text of a docid, or None for a docid that the source does not have."""

_MARKUP = re.compile(r"<(?:!doctype|!--|\?xml|[a-z][\w:.-]*[\s/>])", re.IGNORECASE)
_IDENTIFIERS = {"docno", "docid", "dochdr", "docoldno"}
_NEVER_SHOWN = {"script", "style", "noscript", "template"}
_BREAKS = re.compile(
    "article|blockquote|br|dd|div|dt|h[1-6]|head|headline|hr|li|p|pre|section|table|td|text|th|title|tr|ul|ol"
)


def from_mapping(passages: Mapping[Any, Any]) -> TextSource:
    """Texts from a mapping, such as a `data.corpus.Corpus` or a BEIR corpus in memory.

    Args:
        passages: Docid to text, or docid to a mapping of fields such as `title` and `text`. Docids may be whole
            numbers.
    """

    def text_of(docid: str) -> str | None:
        passage = passages.get(docid)
        if passage is None and docid.isdecimal():
            passage = passages.get(int(docid))
        if isinstance(passage, Mapping):
            return document_text(passage)
        if passage is not None and not isinstance(passage, str):
            raise QPeftError(f"the text of {docid} is not a string or mapping of fields but {type(passage).__name__}")
        return passage

    return text_of


def from_list(passages: Sequence[str]) -> TextSource:
    """Texts from a list, whose docids are places from 0, such as the `corpus_id` of sentence-transformers."""

    def text_of(docid: str) -> str | None:
        return passages[int(docid)] if docid.isdecimal() and int(docid) < len(passages) else None

    return text_of


def from_searcher(searcher: Any) -> TextSource:
    """Texts from the index of a Pyserini searcher.

    Args:
        searcher: A `LuceneSearcher`, or another object whose `doc(docid)` returns the stored document.

    Raises:
        QPeftError: The searcher cannot return documents.
    """
    if not gives_documents(searcher):
        raise QPeftError(
            f"{type(searcher).__name__} has no documents to read texts from: give the Lucene index as searcher=, "
            "or corpus="
        )

    def text_of(docid: str) -> str | None:
        document = searcher.doc(docid)
        return None if document is None else stored_text(document.raw(), document.contents())

    return text_of


def gives_documents(searcher: Any) -> bool:
    """Whether a searcher's `doc` works. That of a FaissSearcher over a local folder fails: it has no Lucene index."""
    try:
        searcher.doc("")
    except AttributeError:
        return False
    except LookupError:  # raised by a mapping that lacks the docid
        return True
    return True


def chain(*sources: TextSource) -> TextSource:
    """The text from the first of `sources` that has it."""

    def text_of(docid: str) -> str | None:
        return next((text for source in sources if (text := source(docid)) is not None), None)

    return text_of


def stored_text(raw: str | None, contents: str | None) -> str | None:
    """The passage text from the two fields that an Anserini index may store.

    Args:
        raw: The document as it was indexed: JSON, HTML or TREC markup, or plain text.
        contents: The text that was analysed for search, used if there is no `raw`.

    Returns:
        The text; None if the index stores neither field.
    """
    if raw is not None:
        return raw_text(raw)
    return None if contents is None else passage_text("", contents)


def raw_text(raw: str) -> str:
    """The passage text of a stored raw document.

    Args:
        raw: JSON with the fields of `document_text`, HTML or TREC markup, or plain text.
    """
    start = raw.lstrip()
    if start.startswith("{"):
        try:
            document = json.loads(raw)
        except ValueError:
            document = None
        if isinstance(document, dict) and (text := document_text(document)) is not None:
            return text
    if _MARKUP.match(start):
        return passage_text("", _shown_text(raw))
    return passage_text("", raw)


def _shown_text(markup: str) -> str:
    parser = _ShownText()
    parser.feed(markup)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.pieces).split("\n"))
    return "\n".join(line for line in lines if line)


class _ShownText(HTMLParser):
    """Collects the text that a browser shows, without TREC's document numbers and headers."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden is None and tag in _IDENTIFIERS | _NEVER_SHOWN:
            self._hidden = tag
        self._break_at(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = None
        self._break_at(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden is None:
            self.pieces.append(data)

    def _break_at(self, tag: str) -> None:
        if _BREAKS.fullmatch(tag):
            self.pieces.append("\n")
