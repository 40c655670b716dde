"""Reranked lists with the scores of both stages, read from the JSONL that `qpeft rerank` writes."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from pyserini_qpeft.data.fields import as_id, as_score
from pyserini_qpeft.data.files import PathLike, first_line
from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredWindow, StageScore
from pyserini_qpeft.data.requests import records_by_qid, stored_records
from pyserini_qpeft.data.stored_run import is_large
from pyserini_qpeft.errors import QPeftError

_SCORE, _EMPTY = '"first_stage_score"', '"hits": []'


def holds_ranked_lists(path: PathLike) -> bool:
    """Whether a run is JSONL with the scores of both stages, as `qpeft rerank` writes it; its lists may be empty."""
    start = first_line(path, what="a run")
    if start.lstrip()[0] != "{":
        return False
    if _EMPTY not in start:
        return _SCORE in start
    # The first list is empty, so the first that is not shows the format.
    some = (hits for _, _, record in records_by_qid(path, what="a run") if (hits := record.get("hits")))
    first = next(some, None)
    return first is None or (isinstance(first, list) and isinstance(first[0], dict) and _SCORE.strip('"') in first[0])


def read_ranked_lists(path: PathLike) -> Collection[RankedList]:
    """Reads reranked lists with the scores of both stages, and seconds and prior of a query if known.

    The lists of a large file stay in it and are read each time they are asked for; the file must not change meanwhile.

    Raises:
        QPeftError: The JSON is broken, a query occurs twice, or a hit has no first-stage score and rank.
    """
    stored = stored_records(path, _ranked_list) if is_large(path) else None
    if stored is not None:
        return stored.values()
    lists: dict[str, RankedList] = {}
    for where, qid, record in records_by_qid(path, what="a run"):
        ranked = _ranked_list(qid, record, where)
        if qid in lists:
            raise QPeftError(f"{where}: query {qid} occurs a second time")
        lists[qid] = ranked
    return list(lists.values())


def _ranked_list(qid: str, record: Mapping[str, Any], where: str) -> RankedList:
    hits = record.get("hits")
    if not isinstance(hits, list):
        raise QPeftError(f"{where}: no list of hits; give the JSONL that qpeft rerank writes")
    seconds, prior, dropped = (record.get(name) for name in ("seconds", "prior", "dropped"))
    return RankedList(
        qid=qid,
        query=str(record.get("query") or ""),
        hits=[_hit(hit, place, f"{where}: hit {place}") for place, hit in enumerate(hits, start=1)],
        hints=[hit.get("hints") for hit in hits],
        seconds=None if seconds is None else as_score(seconds, f"{where}: seconds"),
        prior=None if prior is None else as_score(prior, f"{where}: prior"),
        dropped=dropped if isinstance(dropped, int) else 0,
    )


def _hit(hit: Any, place: int, where: str) -> RankedHit:
    if not isinstance(hit, dict) or "first_stage_score" not in hit or not isinstance(hit.get("first_stage_rank"), int):
        raise QPeftError(f"{where}: no first-stage score and rank; give the JSONL that qpeft rerank writes")
    docid = as_id(hit.get("docid"), where, "the docid")
    likelihood, probability = hit.get("likelihood"), hit.get("probability")
    first_stage = hit["first_stage_score"]
    return RankedHit(
        docid=docid,
        score=as_score(hit.get("score"), f"{where} ({docid})"),
        rank=place,
        first_stage_score=math.nan if first_stage is None else as_score(first_stage, f"{where} ({docid})"),
        first_stage_rank=hit["first_stage_rank"],
        text=hit.get("text"),
        likelihood=None if likelihood is None else as_score(likelihood, f"{where} ({docid})"),
        windows=tuple(_window(window, f"{where} ({docid})") for window in hit.get("windows") or ()),
        stages=None if hit.get("stages") is None else _stages(hit["stages"], f"{where} ({docid})"),
        probability=None if probability is None else as_score(probability, f"{where} ({docid})"),
    )


def _stages(read: Any, where: str) -> tuple[StageScore, ...]:
    try:
        return tuple(
            StageScore(
                int(one["rank"]),
                as_score(one["score"], where),
                None if one["likelihood"] is None else as_score(one["likelihood"], where),
            )
            for one in read
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise QPeftError(f"{where}: each of its stages needs rank, score and likelihood") from None


def _window(window: Any, where: str) -> ScoredWindow:
    start, stop = (window.get(name) for name in ("start", "stop")) if isinstance(window, dict) else (None, None)
    if not isinstance(start, int) or not isinstance(stop, int):
        raise QPeftError(f"{where}: a window without its start and stop; give the JSONL that qpeft rerank writes")
    docid = window.get("docid")
    return ScoredWindow(start, stop, as_score(window.get("likelihood"), where), None if docid is None else str(docid))
