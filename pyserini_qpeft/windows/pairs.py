"""Pairs of query and document as pairs of query and window, and back."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.records import ScoredWindow
from pyserini_qpeft.windows.combining import combine
from pyserini_qpeft.windows.config import WindowConfig
from pyserini_qpeft.windows.cutting import CutDocument, WindowCutter


class WindowedPairs:
    """The windows of (query, document) pairs.

    A document of several pairs is cut once. Windows with the same text are equal passages, whatever documents they are
    from, so the scorer reads them once.

    Args:
        pairs: Queries and documents.
        cutter: Cuts the documents.
        config: How many windows are read, and how their likelihoods become one.

    Attributes:
        documents: The windows of the document of each pair.
        passages: (query, passage) texts, one for each window of each pair.
        starts: Place in `passages` of the first window of each pair, and after them the number of passages.
    """

    def __init__(self, pairs: Sequence[tuple[str, Candidate]], cutter: WindowCutter, config: WindowConfig) -> None:
        self._config = config
        contents = {(document.text, document.parts): document for _, document in pairs}
        cut = dict(zip(contents, cut_documents(list(contents.values()), cutter), strict=True))
        self.documents = [cut[document.text, document.parts].first(config.read) for _, document in pairs]
        self.passages = [
            (query, window.passage(document.text))
            for (query, document), one in zip(pairs, self.documents, strict=True)
            for window in one.windows
        ]
        self.starts = [0, *accumulate(len(one.windows) for one in self.documents)]

    def windows(self, likelihoods: npt.NDArray[np.float32]) -> list[tuple[ScoredWindow, ...]]:
        """The windows of each pair with their likelihoods.

        Args:
            likelihoods: Those of `passages`, float32 `[passages]`.
        """
        numbers = iter(likelihoods.tolist())
        return [
            tuple(ScoredWindow(one.start, one.stop, next(numbers), one.docid) for one in document.windows)
            for document in self.documents
        ]

    def combined(self, likelihoods: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The likelihood of each pair, float32 `[pairs]`, from those of `passages`."""
        each = (likelihoods[start:stop] for start, stop in zip(self.starts, self.starts[1:], strict=False))
        return np.array([combine(one, self._config) for one in each], dtype=np.float32)

    def best(self, likelihoods: npt.NDArray[np.float32]) -> list[int]:
        """The place in `passages` of the best window of each pair, the first of equals."""
        each = zip(self.starts, self.starts[1:], strict=False)
        return [start + int(np.argmax(likelihoods[start:stop])) for start, stop in each]


def cut_documents(documents: Sequence[Candidate], cutter: WindowCutter) -> list[CutDocument]:
    """The windows of each document. In a document that is given as passages, no window reaches over two of them."""
    texts = [
        [document.text[part.start : part.stop] for part in document.parts] or [document.text] for document in documents
    ]
    cut = iter(cutter.cut([text for one in texts for text in one]))
    found = []
    for document, one in zip(documents, texts, strict=True):
        pieces = [next(cut) for _ in one]
        found.append(_joined(document, pieces) if document.parts else pieces[0])
    return found


def _joined(document: Candidate, pieces: Sequence[CutDocument]) -> CutDocument:
    before = [0, *accumulate(piece.ends[-1] for piece in pieces)]
    windows = [
        replace(window, start=part.start + window.start, stop=part.start + window.stop, docid=part.docid)
        for part, piece in zip(document.parts, pieces, strict=True)
        for window in piece.windows
    ]
    ends = [tokens + end for tokens, piece in zip(before, pieces, strict=False) for end in piece.ends]
    return CutDocument(tuple(windows), tuple(ends))
