"""Queries and their answers: TSV, TREC, and JSON in several forms. The content of a file decides its format."""

import logging
import re
from collections.abc import Iterator

from pyserini_qpeft.data.dpr_questions import answers_in_line, read_dpr_answers, read_dpr_questions
from pyserini_qpeft.data.fields import QUERY_FIELDS, as_id, as_query, first_of
from pyserini_qpeft.data.files import PathLike, first_line, numbered_lines
from pyserini_qpeft.data.irds import irds_queries, is_irds
from pyserini_qpeft.data.line_topics import LAYOUT, reader_of_lines
from pyserini_qpeft.data.records import Topics
from pyserini_qpeft.data.requests import records_by_qid
from pyserini_qpeft.data.trec_topics import read_trec_topics
from pyserini_qpeft.errors import QPeftError

_LOG = logging.getLogger(__name__)
_QRELS_HEADER = re.compile(r"query-id\tcorpus-id\b", re.IGNORECASE)
_TSV_HEADER = re.compile(r"(qid|_?id|query[-_]?id)\t(query|text|question|title)\b", re.IGNORECASE)


def read_topics(path: PathLike) -> Topics:
    """Reads queries.

    Reads `qid`, tab, query; JSON lines or arrays (BEIR's `_id` and `text`, or names such as `qid` and `query`);
    the JSON forms of `requests.read_requests`; DPR's question files (question, tab, list of answers), numbered from 0;
    TREC's topics in markup (see `trec_topics`), its web queries (`12:query`), and the headings of TREC CAR.

    Args:
        path: The file, gzipped or not, or a name of ir_datasets (`irds:beir/scifact/test`).

    Returns:
        Text of each query, stripped, in file order; ids are strings. Empty queries are left out and logged.

    Raises:
        QPeftError: The file is empty or of unknown format, a qid occurs twice, a query has no text field, or all
            queries are empty.
    """
    start = "" if is_irds(path) else first_line(path, what="a list of topics").lstrip()
    if is_irds(path):
        topics: Iterator[tuple[str, str, object]] = ((str(path), qid, query) for qid, query in irds_queries(path))
    elif answers_in_line(start) is not None:
        topics = read_dpr_questions(path)
    elif start[0] in "{[":
        topics = _json_topics(path)
    elif start[0] == "<":
        topics = read_trec_topics(path)
    elif (read_lines := reader_of_lines(start)) is not None:
        topics = read_lines(path)
    else:
        topics = _tsv_topics(path)
    read: Topics = {}
    empty: list[str] = []
    for where, qid, query in topics:
        if qid in read:
            raise QPeftError(f"{where}: query id {qid} occurs a second time")
        read[qid] = as_query(query, f"{where}: query {qid}")
        if not read[qid]:
            empty.append(qid)
    if len(empty) == len(read):
        raise QPeftError(f"{path} holds no query" + (" that is not empty" if empty else ""))
    if empty:
        _LOG.warning("%s: %d queries are empty and are left out, first query %s", path, len(empty), empty[0])
    return {qid: query for qid, query in read.items() if query}


def read_answers(path: PathLike) -> dict[str, list[str]]:
    """Reads the accepted answers of each query of a JSON file or of one of DPR's.

    In JSON they are `metadata.answers`, or else `answers` or `answer`.

    Returns:
        Answers by qid; queries without answers are left out.

    Raises:
        QPeftError: The file is neither JSON nor one of DPR's question files, or answers are not a list of strings.
    """
    if answers_in_line(first_line(path, what="a list of queries with answers")) is not None:
        return read_dpr_answers(path)
    read: dict[str, list[str]] = {}
    for where, qid, record in records_by_qid(path, what="a query with answers"):
        metadata = record.get("metadata")
        answers = metadata.get("answers") if isinstance(metadata, dict) else None
        answers = first_of(record, ("answers", "answer")) if answers is None else answers
        if not answers:
            continue
        if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
            raise QPeftError(f"{where}: answers must be a list of strings")
        read[qid] = answers
    return read


def _json_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    for where, qid, record in records_by_qid(path, what="a topic"):
        query = record.get("query")
        yield where, qid, first_of(query if isinstance(query, dict) else record, QUERY_FIELDS)


def _tsv_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    for place, (number, line) in enumerate(numbered_lines(path)):
        if place == 0 and _QRELS_HEADER.match(line):
            raise QPeftError(f"{path}:{number}: these are qrels, where topics were expected (qid, tab, query)")
        if place == 0 and _TSV_HEADER.match(line):
            continue
        qid, tab, query = line.partition("\t")
        if not tab:
            raise QPeftError(
                f"{path}:{number}: no tab: topics are qid, tab, query; {LAYOUT}; JSON lines; or TREC topics (<top>)"
            )
        if answers_in_line(line) is not None:
            raise QPeftError(
                f"{path}:{number}: a list of answers, where the lines before have qid, tab, query; give a file whose "
                "lines are all question, tab, answers, or all qid, tab, query"
            )
        yield f"{path}:{number}", as_id(qid.strip(), f"{path}:{number}", "the query id"), query
