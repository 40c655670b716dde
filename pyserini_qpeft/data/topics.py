"""Queries and their answers, told apart by content: TSV, JSON of several makes, TREC."""

import re
from collections.abc import Iterator

from pyserini_qpeft.data.fields import as_id, as_query, first_of, json_records
from pyserini_qpeft.data.files import PathLike, first_line, numbered_lines
from pyserini_qpeft.data.records import Topics
from pyserini_qpeft.data.requests import request_qid
from pyserini_qpeft.errors import QPeftError

_QUERY_FIELDS = ("text", "query", "question", "title")
_TSV_HEADER = re.compile(r"(qid|_?id|query[-_]?id)\t(query|text|question|title)\b", re.IGNORECASE)
_NUMBER_LABEL = re.compile(r"number\s*:", re.IGNORECASE)
_TITLE_LABEL = re.compile(r"topic\s*:", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(\w+)([^>]*)>")


def read_topics(path: PathLike) -> Topics:
    """Reads queries, told by their content.

    Takes `qid`, tab, query; JSON lines (BEIR's `_id` and `text`, or names such as `qid` and `query`);
    Pyserini's DPR JSON; rank_llm requests; TREC's `<top>` (the title is the query) and
    `<topic number="…">` (the query, or else the title).

    Args:
        path: The file; gzipped or not.

    Returns:
        Text of each query, stripped, in file order; ids are strings.

    Raises:
        QPeftError: An empty file, an unknown format, a qid that occurs twice, a query without text.
    """
    start = first_line(path, what="a list of topics").lstrip()
    if start[0] in "{[":
        topics = _json_topics(path)
    elif start[0] == "<":
        topics = _trec_topics(path)
    else:
        topics = _tsv_topics(path)
    read: Topics = {}
    for where, qid, query in topics:
        if qid in read:
            raise QPeftError(f"{where}: query id {qid} occurs a second time")
        read[qid] = as_query(query, f"{where}: query {qid}")
    if not read:
        raise QPeftError(f"{path} holds no topic")
    return read


def read_answers(path: PathLike) -> dict[str, list[str]]:
    """Reads the accepted answers of each query of a JSON file: `metadata.answers`, or else `answers`.

    Returns:
        Answers of each query that has any; queries without are left out.

    Raises:
        QPeftError: Not JSON, or answers that are not strings.
    """
    read: dict[str, list[str]] = {}
    for where, record in json_records(path, what="a query with answers"):
        metadata = record.get("metadata")
        answers = metadata.get("answers") if isinstance(metadata, dict) else None
        answers = record.get("answers") if answers is None else answers
        if not answers:
            continue
        if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
            raise QPeftError(f"{where}: answers must be a list of strings")
        read[request_qid(record, where)] = answers
    return read


def _json_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    for where, record in json_records(path, what="a topic"):
        query = record.get("query")
        fields = query if isinstance(query, dict) else record
        yield where, request_qid(record, where), first_of(fields, _QUERY_FIELDS)


def _tsv_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    for place, (number, line) in enumerate(numbered_lines(path)):
        if place == 0 and _TSV_HEADER.match(line):
            continue
        qid, tab, query = line.partition("\t")
        if not tab:
            raise QPeftError(
                f"{path}:{number}: no tab: topics are qid, tab, query, or JSON lines, or TREC topics (<top>)"
            )
        yield f"{path}:{number}", as_id(qid.strip(), f"{path}:{number}", "the query id"), query


def _trec_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    """Gathers what stands under each tag; closing tags of the fields are optional, as in TREC's own files."""
    fields: dict[str, str] | None = None
    field, where = "", ""
    for number, line in numbered_lines(path):
        position = 0
        for tag in [*_TAG.finditer(line), None]:
            if fields is not None and field:
                fields[field] = f"{fields.get(field, '')}{line[position : tag.start() if tag else None]}\n"
            if tag is None:
                break
            position = tag.end()
            closing, name, attributes = tag[1], tag[2].lower(), tag[3]
            if name not in ("top", "topic"):
                field = "" if closing else name
            elif closing:
                if fields is not None:
                    yield _trec_topic(fields, where)
                fields, field = None, ""
            else:
                number_attribute = re.search(r'(?:number|id)\s*=\s*"([^"]*)"', attributes)
                fields = {"num": number_attribute[1]} if number_attribute else {}
                field, where = "", f"{path}:{number}"
    if fields is not None:
        raise QPeftError(f"{where}: this topic is never closed; was the file copied whole?")


def _trec_topic(fields: dict[str, str], where: str) -> tuple[str, str, object]:
    qid = _NUMBER_LABEL.sub("", first_of(fields, ("num", "number")) or "").strip()
    query = _TITLE_LABEL.sub("", first_of(fields, ("query", "title")) or "")
    return where, as_id(qid, where, "the topic's number"), " ".join(query.split())
