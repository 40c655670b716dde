"""Cuts long documents into windows, each of them a passage that the model reads whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.windows.boundaries import Boundaries, boundaries
from pyserini_qpeft.windows.config import WindowConfig
from pyserini_qpeft.windows.plan import plan

TokenSpans = Callable[[Sequence[str]], list[npt.NDArray[np.int64]]]
"""Tokenizes texts: start and stop of each token in characters of its text without blanks around it, `[tokens, 2]`."""

_DOCUMENTS_AT_ONCE = 256

_TITLE_PARTS = 4
"""A title takes at most one of this many equal parts of a window."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a document that is scored as one passage.

    Attributes:
        start: Its first character in the document.
        stop: The character after its last.
        title: The title that is put before it; empty if it stands in the window itself, or if there is none.
        docid: Docid of the passage that the window is a part of, if the document was given as passages.
    """

    start: int
    stop: int
    title: str = ""
    docid: str | None = None

    def passage(self, document: str) -> str:
        """The passage that is scored: the title, a newline, and the part of the document."""
        text = document[self.start : self.stop]
        return f"{self.title}\n{text}" if self.title else text

    def place(self, document: str, character: int) -> int:
        """Where a character of the passage stands in the document."""
        if character < len(self.title):
            return document.index(self.title) + character
        return self.start + max(0, character - len(self.title) - 1 if self.title else character)


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document in windows.

    Attributes:
        windows: In document order; at least one.
        ends: How many tokens of the document come before the end of each window.
        tokens_left_out: Tokens at the end of the document that are in no window.
    """

    windows: tuple[Window, ...]
    ends: tuple[int, ...]
    tokens_left_out: int = 0

    def first(self, count: int | None) -> "CutDocument":
        """The document with its first `count` windows alone; None is all."""
        if count is None or count >= len(self.windows):
            return self
        left_out = self.tokens_left_out + self.ends[-1] - self.ends[count - 1]
        return CutDocument(self.windows[:count], self.ends[:count], left_out)


class WindowCutter:
    """Cuts documents into windows. A document that is no longer than a window is one window.

    Args:
        config: Stride and title.
        size: Most tokens of a window.
        token_spans: The tokenizer.
    """

    def __init__(self, config: WindowConfig, size: int, token_spans: TokenSpans) -> None:
        self._config = config
        self._size = size
        self._token_spans = token_spans

    def cut(self, documents: Sequence[str]) -> list[CutDocument]:
        """Cut each document from its start to its end.

        Every character that is not blank is in a window. No window has more than `size` tokens, unless a single
        character has. The windows of a document depend on this document alone.

        Args:
            documents: The texts.
        """
        done: dict[int, CutDocument] = {}
        long: dict[int, _LongDocument] = {}
        for place, (text, spans) in enumerate(zip(documents, self._token_spans(documents), strict=True)):
            if len(spans) > self._size:
                long[place] = _LongDocument.of(text, spans, self._size if self._config.title else 0)
            else:
                blank = len(text) - len(text.lstrip())
                done[place] = CutDocument((Window(blank, blank + len(text.strip())),), (len(spans),))
        # A part that is tokenized alone can have a token or two more than it has in the document.
        sizes = {place: self._size - document.title_tokens for place, document in long.items()}
        while sizes:
            cut = {place: long[place].cut(size, self._config.stride or size) for place, size in sizes.items()}
            passages = [one.passage(documents[place]) for place, found in cut.items() for one in found.windows]
            lengths = map(len, self._token_spans(passages))
            longest = {place: max(next(lengths) for _ in found.windows) for place, found in cut.items()}
            done |= cut
            sizes = {
                place: max(1, size - (longest[place] - self._size))
                for place, size in sizes.items()
                if longest[place] > self._size and size > 1
            }
        return [done[place] for place in range(len(documents))]


def passages_of_windows(documents: Iterable[str], cutter: WindowCutter, config: WindowConfig) -> Iterator[str]:
    """The windows of documents as passages, for a passage cache that reads them before any query.

    Args:
        documents: The texts; few of them are in memory at a time.
        cutter: Cuts them.
        config: How many windows of a document are read.
    """
    for some in batched(documents, _DOCUMENTS_AT_ONCE):
        for document, cut in zip(some, cutter.cut(some), strict=True):
            yield from (window.passage(document) for window in cut.first(config.read).windows)


@dataclass(frozen=True, slots=True)
class _LongDocument:
    """A document of several windows.

    Attributes:
        text: Its text.
        blank: Blanks before the text.
        bounds: Where it may be cut.
        title: The title, which is its first line; empty if none is repeated.
        title_tokens: Tokens of the title and its newline.
    """

    text: str
    blank: int
    bounds: Boundaries
    title: str
    title_tokens: int

    @classmethod
    def of(cls, text: str, spans: npt.NDArray[np.int64], size: int) -> "_LongDocument":
        """The document.

        Args:
            text: Its text.
            spans: Its tokens.
            size: Tokens of a window whose title is repeated; 0 repeats no title.
        """
        stripped = text.strip()
        bounds = boundaries(stripped, spans)
        line, _, rest = stripped.partition("\n")
        tokens = int(np.searchsorted(bounds.places, len(line) + 1))
        if not rest or tokens > size // _TITLE_PARTS:
            line, tokens = "", 0
        return cls(text, len(text) - len(text.lstrip()), bounds, line.rstrip(), tokens)

    def cut(self, size: int, stride: int) -> CutDocument:
        """Windows of at most `size` tokens, the title not counted."""
        places = self.bounds.places
        planned = plan(self.bounds.quality, size, stride)
        windows = []
        for first, last in planned:
            start, stop = self.blank + int(places[first]), self.blank + int(places[last])
            stop = start + len(self.text[start:stop].rstrip())
            windows.append(Window(start, stop, self.title if first else ""))
        return CutDocument(tuple(windows), tuple(last for _, last in planned))
