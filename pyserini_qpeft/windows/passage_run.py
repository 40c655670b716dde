"""Runs of passages, such as those of MS MARCO v2's segmented documents: folded into documents, and unfolded again.

The docid of a passage is that of its document, `#`, and a number: `msmarco_v2.1_doc_00_0#3`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, Run, ScoredDoc, ScoredWindow

SEPARATOR = "#"
"""Stands between a document and a passage in the docid of a passage."""


def document_of(docid: str) -> str:
    """The docid of the document that a passage is from: what is before the last `#`, or all if there is none."""
    document, found, _ = docid.rpartition(SEPARATOR)
    return document if found and document else docid


def fold(hits: Sequence[ScoredDoc]) -> list[ScoredDoc]:
    """The documents of a list of passages, in the order of their best passages and with their scores.

    Args:
        hits: Passages, best first.

    Returns:
        Documents with their `passages`, which are in document order: by the numbers behind the `#`.
    """
    passages: dict[str, list[ScoredDoc]] = {}
    for hit in hits:
        passages.setdefault(document_of(hit.docid), []).append(hit)
    return [
        ScoredDoc(docid, found[0].score, passages=tuple(sorted(found, key=_place))) for docid, found in passages.items()
    ]


class FoldedRun(Mapping[str, list[ScoredDoc]]):
    """A run of documents whose passages come from a run of passages.

    Args:
        passages: Run of passages.
        documents: Run of documents, which gives their order and scores. A document without a passage in `passages` is
            scored through windows of its own text. None: the documents of `passages`, see `fold`.
    """

    def __init__(self, passages: Run, documents: Run | None = None) -> None:
        self._passages = passages
        self._documents = documents

    def __getitem__(self, qid: str) -> list[ScoredDoc]:
        if self._documents is None:
            return fold(self._passages[qid])
        known = {one.docid: one.passages for one in fold(self.passages(qid))}
        return [replace(hit, passages=known.get(hit.docid, ())) for hit in self._documents[qid]]

    def passages(self, qid: str) -> list[ScoredDoc]:
        """The passages of a query, best first."""
        return self._passages.get(qid, [])

    def __iter__(self) -> Iterator[str]:
        return iter(self._passages if self._documents is None else self._documents)

    def __len__(self) -> int:
        return len(self._passages if self._documents is None else self._documents)


def unfold(ranked: Sequence[RankedHit], passages: Sequence[ScoredDoc]) -> RankedHits:
    """The passages of ranked documents, in the order of the documents, and for each document the best one first.

    Within a document, passages are ordered by the likelihood of their best window, and passages that were not scored
    follow in the first stage's order. A document without passages stays. Scores descend strictly, also in the single
    precision of trec_eval: a passage has the score of its document, or the next smaller number.

    Args:
        ranked: Documents, as the reranker returns them.
        passages: The passages that were folded into these documents, in the first stage's order.
    """
    by_document: dict[str, list[RankedHit]] = {}
    for rank, hit in enumerate(passages, start=1):
        unscored = RankedHit(hit.docid, hit.score, rank, first_stage_score=hit.score, first_stage_rank=rank)
        by_document.setdefault(document_of(hit.docid), []).append(unscored)
    hits = RankedHits()
    score = np.float32(np.inf)
    for document in ranked:
        found = [_as_scored(hit, document) for hit in by_document.get(document.docid, [])]
        found.sort(key=lambda hit: max((window.likelihood for window in hit.windows), default=-np.inf), reverse=True)
        for one in found or [document]:
            score = min(np.float32(document.score), np.nextafter(score, np.float32(-np.inf)))
            hits.append(replace(one, score=float(score), rank=len(hits) + 1))
    return hits


def _as_scored(passage: RankedHit, document: RankedHit) -> RankedHit:
    """The passage with its part of the document's windows, whose places are counted from its own start.

    Of a document that the last stage of a cascade did not rescore, the windows are those of an earlier stage. Its
    passages have no likelihood, like the document itself.
    """
    windows = [window for window in document.windows if window.docid == passage.docid]
    if not windows:
        return passage
    start, stop = windows[0].start, windows[-1].stop
    return replace(
        passage,
        text=None if document.text is None else document.text[start:stop],
        likelihood=None if document.likelihood is None else max(window.likelihood for window in windows),
        windows=tuple(ScoredWindow(window.start - start, window.stop - start, window.likelihood) for window in windows),
    )


def _place(hit: ScoredDoc) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", hit.docid.rpartition(SEPARATOR)[2])))
