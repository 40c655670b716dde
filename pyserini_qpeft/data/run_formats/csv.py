"""Comma-separated values with a header: a line for each hit, with the scores and ranks of both stages.

`probability` is empty without a calibration. `best_passage_start` and `best_passage_stop` are characters of the text of
a document that was scored through windows, and empty for others.
"""

import csv
import io
import math
from collections.abc import Iterable
from functools import partial

from pyserini_qpeft.data.fields import DOCID_FIELDS, QID_FIELDS, as_id, as_score, first_of
from pyserini_qpeft.data.files import PathLike, first_line, numbered_lines
from pyserini_qpeft.data.records import RankedList, Run, ScoredDoc
from pyserini_qpeft.data.run_formats.run_format import RunFormat, check_scores
from pyserini_qpeft.data.stored_run import Clean, StoredRun, stored_lines
from pyserini_qpeft.errors import QPeftError

_COLUMNS = (
    *("qid", "docid", "rank", "score", "likelihood", "first_stage_rank", "first_stage_score", "probability"),
    *("best_passage_start", "best_passage_stop"),
)
# A column `id` or `_id` could be either.
_QID = [name for name in QID_FIELDS if name not in DOCID_FIELDS]
# PyTerrier's docno is the docid of the collection; its docid is the place of the passage in its own index.
_DOCID = ["docno", *(name for name in DOCID_FIELDS if name not in ("docno", *QID_FIELDS))]


def _recognise(line: str) -> bool:
    names = set(_fields(line))
    return bool(names & set(_QID)) and bool(names & set(_DOCID)) and "score" in names


def _read(path: PathLike) -> Run:
    """Reads any CSV file that has columns for qid, docid and score, in any order; PyTerrier's, for example."""
    lines = numbered_lines(path)
    _, header = next(lines)
    return _parse(_fields(header), path, lines)


def _store(path: PathLike, clean: Clean) -> StoredRun | None:
    names = _fields(first_line(path, what="a run"))
    return stored_lines(path, clean, partial(_parse, names), qid_of=partial(_qid_of, names), has_header=True)


def _qid_of(names: list[str], line: str) -> str:
    return str(first_of(dict(zip(names, _fields(line), strict=False)), _QID))


def _parse(names: list[str], path: PathLike, lines: Iterable[tuple[int, str]]) -> Run:
    """Reads lines below a header with these names."""
    run: dict[str, list[ScoredDoc]] = {}
    for number, line in lines:
        where, fields = f"{path}:{number}", _fields(line)
        if len(fields) != len(names):
            raise QPeftError(f"{where}: {len(fields)} fields, where the header has {len(names)}")
        row = dict(zip(names, fields, strict=True))
        hit = ScoredDoc(as_id(first_of(row, _DOCID), where, "the docid"), as_score(row["score"], where))
        run.setdefault(as_id(first_of(row, _QID), where, "the query id"), []).append(hit)
    return run


def _lines(ranked: RankedList, tag: str) -> str:
    check_scores(ranked)
    for name in (ranked.qid, *(hit.docid for hit in ranked.hits)):
        if not name.strip() or "\n" in name or "\r" in name:
            raise QPeftError(f"the id {name!r} of query {ranked.qid} is blank or has a line end: write JSONL")
    file = io.StringIO()
    rows = (
        (
            *(ranked.qid, hit.docid, hit.rank, repr(float(hit.score))),
            *(_number(hit.likelihood), hit.first_stage_rank, _number(hit.first_stage_score), _number(hit.probability)),
            *(("", "") if best is None else (best.start, best.stop)),
        )
        for hit, best in ((hit, hit.best_passage) for hit in ranked.hits)
    )
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a field of more than 131,072 characters
        return []


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))


FORMAT = RunFormat(
    "csv", "comma-separated values under a header with qid, docid and score", _recognise, _read, _lines,
    header=",".join(_COLUMNS) + "\n", store=_store,
)  # fmt: skip
