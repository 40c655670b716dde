"""Reads docid, text and score from hits of Pyserini, rank_llm, pygaggle, and plain Python values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyserini_qpeft.candidates.hit_lists import TextHit, listed
from pyserini_qpeft.candidates.records import Candidate, Part
from pyserini_qpeft.candidates.texts import TextSource, stored_text
from pyserini_qpeft.data.fields import DOCID_FIELDS, SCORE_FIELDS, as_text, first_of
from pyserini_qpeft.data.passage import document_text
from pyserini_qpeft.data.records import RankedHit, ScoredDoc, ScoredWindow
from pyserini_qpeft.errors import QPeftError


def to_candidates(hits: Any, texts: TextSource | None = None) -> list[Candidate]:
    """Turns the hits of one query into candidates, in the same order, and leaves the hits unchanged.

    A hit may be a Pyserini hit (sparse, dense, hybrid), a `data.records.ScoredDoc` or `RankedHit`, a tuple
    `(docid, text, score)` or `(docid, score)`, a rank_llm candidate, a pygaggle text with its docid in `metadata`, a
    mapping or an object with fields or attributes such as `docid` and `score` (see `data.fields`), or a text alone,
    whose docid is its place, from 0. The text is the hit's own text, or else the text from `texts`, or else the text
    that the index stored with the hit. The text of a document with `ScoredDoc.passages` is that of its passages.

    Args:
        hits: A list, a DataFrame or a mapping, see `candidates.hit_lists`. May be empty. A docid may occur more than
            once and may be a whole number. A missing score becomes NaN.
        texts: Source of the texts of hits without their own text (see `candidates.texts`).

    Raises:
        QPeftError: A hit is of an unknown kind, no text is found for it, or its text or score is of a wrong
            type.
    """
    return [_candidate(hit, place, texts) for place, hit in enumerate(listed(hits), start=1)]


def first_stage_hits(hits: Any, *, first_rank: int = 1) -> list[RankedHit]:
    """The hits with the scores and the order of the first stage. They need no text.

    Args:
        hits: As for `to_candidates`.
        first_rank: Rank of the first hit.

    Raises:
        QPeftError: A hit is of an unknown kind, or its score is not a number.
    """
    ranked = []
    for place, hit in enumerate(listed(hits), start=1):
        docid, score = _docid_and_score(hit, place)
        rank = first_rank + place - 1
        ranked.append(RankedHit(docid, score, rank, first_stage_score=score, first_stage_rank=rank))
    return ranked


def _candidate(hit: Any, place: int, texts: TextSource | None) -> Candidate:
    if isinstance(hit, TextHit) and texts is not None:
        raise QPeftError(
            f"hit {place} is a text ({hit.text!r:.40}), and there is a corpus or an index for the texts: leave "
            "that out, or give the hit as (docid, score)."
        )
    if isinstance(hit, TextHit):
        return Candidate(hit.docid, as_text(hit.text, f"the text of document {hit.docid}"), math.nan)
    if isinstance(hit, Candidate) and hit.parts:
        return hit
    docid, score = _docid_and_score(hit, place)
    if isinstance(hit, ScoredDoc) and hit.passages:
        return _joined(docid, score, to_candidates(hit.passages, texts))
    parts = _parts(hit.windows) if isinstance(hit, RankedHit) else ()
    text = _given_text(hit)
    if text is None and texts is not None:
        text = texts(docid)
    if text is None:
        text = _text_stored_with(hit)
    if text is None:
        raise QPeftError(
            f"no text for document {docid}: use an index with raw texts (-storeRaw), or give a Lucene index that has "
            "them (searcher=), or the corpus (corpus=, such as Corpus.open(FOLDER) or a mapping from docid to text)"
        )
    return Candidate(docid, as_text(text, f"the text of document {docid}"), score, parts)


def _joined(docid: str, score: float, passages: Sequence[Candidate]) -> Candidate:
    """A document of passages, each of which begins on a new line."""
    parts: list[Part] = []
    start = 0
    for passage in passages:
        parts.append(Part(passage.docid, start, start + len(passage.text)))
        start = parts[-1].stop + 1
    return Candidate(docid, "\n".join(passage.text for passage in passages), score, tuple(parts))


def _parts(windows: Sequence[ScoredWindow]) -> tuple[Part, ...]:
    """The passages of a document that was ranked before, as far as they were read."""
    parts: dict[str, Part] = {}
    for window in windows:
        if window.docid is not None:
            first = parts.get(window.docid, window)
            parts[window.docid] = Part(window.docid, first.start, window.stop)
    return tuple(parts.values())


def _docid_and_score(hit: Any, place: int) -> tuple[str, float]:
    if isinstance(hit, tuple) and not _has_fields(hit):
        if len(hit) not in (2, 3) or (len(hit) == 3 and not isinstance(hit[1], str)):
            raise QPeftError(f"hit {place} is not (docid, text, score) or (docid, score): {hit!r:.80}")
        docid, score = hit[0], hit[-1]
    elif isinstance(hit, Mapping):
        docid, score = first_of(hit, DOCID_FIELDS), first_of(hit, SCORE_FIELDS)
    else:
        docid, score = _attribute(hit, ("docid", *DOCID_FIELDS)), _attribute(hit, SCORE_FIELDS)
        metadata = getattr(hit, "metadata", None)
        if docid is None and isinstance(metadata, Mapping):
            docid = first_of(metadata, DOCID_FIELDS)
    if docid is None or not str(docid).strip():
        raise QPeftError(f"hit {place} has no docid: {hit!r:.80}")
    return str(docid), _score(score, str(docid))


def _score(score: Any, docid: str) -> float:
    """A first-stage score; NaN for a missing one. The ranking rule decides about scores that are not finite."""
    if score is None:
        return math.nan
    try:
        return float(score)
    except (TypeError, ValueError, OverflowError):
        raise QPeftError(f"the first-stage score of document {docid} is not a number: {score!r:.80}") from None


def _given_text(hit: Any) -> str | None:
    if isinstance(hit, tuple) and not _has_fields(hit):
        return hit[1] if len(hit) == 3 else None
    document = hit.get("doc") if isinstance(hit, Mapping) else getattr(hit, "doc", None)
    if isinstance(document, Mapping):
        return document_text(document)
    if isinstance(hit, Mapping):
        return document_text(hit)
    text = getattr(hit, "text", None)
    return text if isinstance(text, str) else None


def _attribute(hit: Any, names: Sequence[str]) -> Any:
    """The first of the attributes that the hit has and that is not None and no method."""
    values = (getattr(hit, name, None) for name in names)
    return next((value for value in values if value is not None and not callable(value)), None)


def _has_fields(hit: tuple[Any, ...]) -> bool:
    """Whether a tuple has named fields, of which one is a docid: a row of `DataFrame.itertuples()`, for example."""
    return any(name in DOCID_FIELDS for name in getattr(hit, "_fields", ()))


def _text_stored_with(hit: Any) -> str | None:
    """The text in the Lucene document that Pyserini's sparse hits carry."""
    document = getattr(hit, "lucene_document", None)
    return None if document is None else stored_text(document.get("raw"), document.get("contents"))
