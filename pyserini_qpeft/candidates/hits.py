"""Hits of any make as candidates: a docid, a text, a score."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import TextSource, stored_text
from pyserini_qpeft.data.passage import document_text
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.errors import QPeftError

_DOCID_KEYS = ("docid", "_id", "id", "doc_id", "docno")


def to_candidates(hits: Iterable[Any], texts: TextSource | None = None) -> list[Candidate]:
    """Turns the hits of one query into candidates, in the order given; the hits stay as they are.

    A hit may be one of Pyserini's (sparse, dense, hybrid), a `data.records.ScoredDoc`, a `RankedHit`,
    `(docid, text, score)` or `(docid, score)`, a rank_llm candidate, a pygaggle text with its docid
    in `metadata`, a mapping with `docid` and `score`, or anything with attributes of those names. The text is
    the one that the hit was given; else what `texts` has; else what its index stored with it.

    Args:
        hits: Any number, none too; a docid may occur more than once and may be a whole number. A score that is
            missing becomes NaN.
        texts: Where to look for the text of hits that bring none (see `candidates.texts`).

    Raises:
        QPeftError: A hit of unknown make, without text anywhere, or whose score is not a number.
    """
    return [_candidate(hit, place, texts) for place, hit in enumerate(hits, start=1)]


def first_stage_hits(hits: Iterable[Any], *, first_rank: int = 1) -> list[RankedHit]:
    """The hits in the first stage's own order and with its scores; no text is needed.

    Args:
        hits: As for `to_candidates`.
        first_rank: Rank of the first of them.

    Raises:
        QPeftError: A hit of unknown make, or whose score is not a number.
    """
    ranked = []
    for place, hit in enumerate(hits, start=1):
        docid, score = _docid_and_score(hit, place)
        rank = first_rank + place - 1
        ranked.append(RankedHit(docid, score, rank, first_stage_score=score, first_stage_rank=rank))
    return ranked


def _candidate(hit: Any, place: int, texts: TextSource | None) -> Candidate:
    docid, score = _docid_and_score(hit, place)
    text = _given_text(hit)
    if text is None and texts is not None:
        text = texts(docid)
    if text is None:
        text = _text_stored_with(hit)
    if text is None:
        raise QPeftError(
            f"no text for document {docid}: index it with its raw text (-storeRaw), or give the Lucene index "
            "that has it (searcher=), or the corpus (corpus=: BEIR folder, .jsonl[.gz] or mapping)"
        )
    return Candidate(docid, text, score)


def _docid_and_score(hit: Any, place: int) -> tuple[str, float]:
    if isinstance(hit, tuple):
        if len(hit) not in (2, 3) or (len(hit) == 3 and not isinstance(hit[1], str)):
            raise QPeftError(f"hit {place} is no (docid, text, score) or (docid, score): {hit!r:.80}")
        docid, score = hit[0], hit[-1]
    elif isinstance(hit, Mapping):
        docid, score = _first_key(hit, _DOCID_KEYS), hit.get("score")
    else:
        docid, score = getattr(hit, "docid", None), getattr(hit, "score", None)
        metadata = getattr(hit, "metadata", None)
        if docid is None and isinstance(metadata, Mapping):
            docid = _first_key(metadata, _DOCID_KEYS)
    if docid is None or not str(docid).strip():
        raise QPeftError(f"hit {place} has no docid: {hit!r:.80}")
    return str(docid), _score(score, str(docid))


def _score(score: Any, docid: str) -> float:
    """A first-stage score; NaN for a missing one. The ranking rule decides about scores that are not finite."""
    if score is None:
        return math.nan
    try:
        return float(score)
    except (TypeError, ValueError):
        raise QPeftError(f"the first-stage score of document {docid} is not a number: {score!r:.80}") from None


def _given_text(hit: Any) -> str | None:
    if isinstance(hit, tuple):
        return hit[1] if len(hit) == 3 else None
    document = hit.get("doc") if isinstance(hit, Mapping) else getattr(hit, "doc", None)
    if isinstance(document, Mapping):
        return document_text(document)
    if isinstance(hit, Mapping):
        return document_text(hit)
    text = getattr(hit, "text", None)
    return text if isinstance(text, str) else None


def _text_stored_with(hit: Any) -> str | None:
    """The text in the Lucene document that Pyserini's sparse hits carry."""
    document = getattr(hit, "lucene_document", None)
    return None if document is None else stored_text(document.get("raw"), document.get("contents"))


def _first_key(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
