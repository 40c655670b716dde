"""Ids, scores and queries as files give them, checked once and told of by file and line."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyserini_qpeft.data.files import PathLike, first_line, numbered_lines, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError

QID_FIELDS = ("_id", "qid", "query_id", "query-id", "id")
DOCID_FIELDS = ("_id", "docid", "id", "doc_id")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def as_id(value: object, where: str, what: str) -> str:
    """A docid or qid as a string; whole numbers become one.

    Raises:
        QPeftError: Neither a string nor a whole number, or blank.
    """
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise QPeftError(f"{where}: {what} {'is missing' if value in (None, '') else f'{value!r} is no id'}")
    return str(value)


def as_score(value: object, where: str) -> float:
    """A score given as number or text.

    Raises:
        QPeftError: Not a finite number.
    """
    try:
        score = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise QPeftError(f"{where}: the score {value!r} is not a number") from None
    if not math.isfinite(score):
        raise QPeftError(f"{where}: the score is {score}, which has no place in a ranking")
    return score


def as_query(value: object, where: str) -> str:
    """The text of a query, stripped.

    Raises:
        QPeftError: No string, or blank.
    """
    if not isinstance(value, str):
        raise QPeftError(f"{where}: the query has no text")
    # A tokenizer takes no half surrogate pairs, which broken JSON escapes leave.
    text = _LONE_SURROGATE.sub("\ufffd", value).strip()
    if not text:
        raise QPeftError(f"{where}: the query is empty")
    return text


def first_of(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of `names` that `fields` has; None where it has none."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def json_records(path: PathLike, *, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of a JSON file, each with the place to name in an error.

    Takes one object a line, an array of objects, or an object of objects, whose keys then become `_id`
    (Pyserini's DPR JSON). Only the first way is read without holding the file in memory.

    Raises:
        QPeftError: An empty file, broken JSON, or something else than objects.
    """
    by_line = _is_json(first_line(path, what=what))
    if by_line:
        records = ((f"{path}:{n}", parse_json(line, path, n)) for n, line in numbered_lines(path))
    else:
        whole = parse_json(read_whole(path), path)
        parts = whole if isinstance(whole, list) else [whole]
        records = ((f"{path}, entry {n}", part) for n, part in enumerate(parts, start=1))
    for where, record in records:
        parts = record if isinstance(record, list) else [record]
        for part in parts:
            if not isinstance(part, dict):
                raise QPeftError(f"{where}: expected a JSON object for {what}, not {type(part).__name__}")
            if part and "query" not in part and all(isinstance(value, dict) for value in part.values()):
                yield from ((f"{path}, query {qid}", {**value, "_id": qid}) for qid, value in part.items())
            else:
                yield where, part


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
