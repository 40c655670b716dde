"""JSON lines: one object per query, with the scores of both stages, texts and hints."""

import json
import math
from dataclasses import asdict
from typing import Any

from pyserini_qpeft.data.records import BestPassage, RankedList, ScoredWindow
from pyserini_qpeft.data.requests import read_requests, stored_requests
from pyserini_qpeft.data.run_formats.run_format import RunFormat, check_scores

_HIT_NUMBERS = ("score", "rank", "first_stage_score", "first_stage_rank", "likelihood")


def _recognise(line: str) -> bool:
    return line.lstrip()[0] in "{["


def _lines(ranked: RankedList, tag: str) -> str:
    """An object with `qid`, `query`, `hits`, and `seconds`, `prior` and `dropped` if they are known.

    A hit has `docid`, score, rank, first-stage score and rank, likelihood, and if they are known `probability`, `text`,
    `hints` and `stages` (rank, score and likelihood after each stage of a cascade). A document that was scored through
    windows also has `windows` and `best_passage`.
    """
    check_scores(ranked)
    hits = []
    for place, hit in enumerate(ranked.hits):
        written: dict[str, Any] = {"docid": hit.docid}
        written |= {name: getattr(hit, name) for name in _HIT_NUMBERS}
        if not math.isfinite(hit.first_stage_score):
            written["first_stage_score"] = None
        if hit.stages is not None:
            written["stages"] = [asdict(stage) for stage in hit.stages]
        if hit.probability is not None:
            written["probability"] = hit.probability
        if hit.text is not None:
            written["text"] = hit.text
        if ranked.hints is not None and ranked.hints[place] is not None:
            written["hints"] = ranked.hints[place]
        if hit.best_passage is not None:
            written["best_passage"] = _without_none(hit.best_passage)
            written["windows"] = list(map(_without_none, hit.windows))
        hits.append(written)
    record: dict[str, Any] = {"qid": ranked.qid, "query": ranked.query, "hits": hits}
    if ranked.seconds is not None:
        record["seconds"] = ranked.seconds
    if ranked.prior is not None:
        record["prior"] = ranked.prior
    if ranked.dropped:
        record["dropped"] = ranked.dropped
    return json.dumps(record, ensure_ascii=False, default=float) + "\n"


def _without_none(record: BestPassage | ScoredWindow) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if value is not None}


FORMAT = RunFormat(
    "jsonl", "one JSON object per query, with a list of hits", _recognise, read_requests, _lines, holds_queries=True,
    store=stored_requests,
)  # fmt: skip
