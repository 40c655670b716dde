"""First-stage hits stored as JSON: DPR's and Pyserini's forms, rank_llm's and RankGPT's, and this package's JSONL."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyserini_qpeft.data.fields import DOCID_FIELDS, HITS_FIELDS, QID_FIELDS, as_id, as_score, first_of
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.json_stream import is_object_of_objects, json_objects, json_parts
from pyserini_qpeft.data.passage import document_text
from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.data.stored_run import Clean, StoredQueries, StoredRun
from pyserini_qpeft.errors import QPeftError

type ReadRecord[T] = Callable[[str, dict[str, Any], str], T]
"""Reads a JSON record about a query: its qid, the record, and `file:line` for messages."""


def read_requests(path: PathLike) -> Run:
    """Reads the hits of a JSON or JSONL file in file order, with the texts that the file holds.

    Reads `{"query": {"qid", "text"}, "candidates": [{"docid", "score", "doc": {…}}]}` (rank_llm),
    `{qid: {"question", "answers", "contexts": [{"docid", "score", "text"}]}}` (Pyserini's
    `convert_trec_run_to_dpr_retrieval_run`), `{"question", "answers", "ctxs": [{"id", "title", "text", "score"}]}`
    (DPR, UPR), `{"query", "hits": [{"qid", "docid", "score", "content"}]}` (rank_llm's stored results, RankGPT), and
    `{"qid", "query", "hits": [{"docid", "score", "text"}]}` (this package).
    `topics.read_topics` and `topics.read_answers` read the queries and answers of the same file.

    Raises:
        QPeftError: The JSON is broken, an object has no list of hits, a hit has no docid, a score is not a finite
            number, or a query occurs twice.
    """
    run: dict[str, list[ScoredDoc]] = {}
    for where, qid, record in records_by_qid(path, what="a run"):
        hits = _hits(record, where)
        if qid in run:
            raise QPeftError(f"{where}: query {qid} occurs a second time")
        run[qid] = hits
    return run


def stored_requests(path: PathLike, clean: Clean) -> StoredRun | None:
    """The run of `read_requests`, which stays in its file; `clean` is applied to the hits of each query.

    Returns:
        The run; None if the file is one object with all queries, as Pyserini writes it.

    Raises:
        QPeftError: As for `read_requests`.
    """
    return stored_records(path, lambda qid, record, where: clean(qid, _hits(record, where)))


def stored_records[T](path: PathLike, read: ReadRecord[T]) -> StoredQueries[T] | None:
    """A mapping from qid to its JSON record, which stays in the file. The file is read once; each record is checked.

    Args:
        path: The file.
        read: Reads a record: its qid, its fields, and `file:line` for messages.

    Returns:
        The queries; None if the file is one object with all queries, as Pyserini writes it.

    Raises:
        QPeftError: The JSON is broken, the qid of a record is unknown, or a query occurs twice.
    """
    stored = StoredQueries(path, lambda qid, block, line: read(qid, json.loads(block), f"{path}:{line}"))
    ids = _QueryIds()
    for part in json_parts(stored.file, path, what="a run"):
        if is_object_of_objects(part.value):
            return None
        where = f"{path}:{part.line}"
        qid = ids.next(part.value, where)
        if qid in stored:
            raise QPeftError(f"{where}: query {qid} occurs a second time")
        read(qid, part.value, where)
        stored.note(qid, part.start, part.length, part.line)
    return stored


def records_by_qid(path: PathLike, *, what: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields each JSON record about a query as `file:line`, qid and record.

    The qid is a field of the record or of its `query` (rank_llm), or all hits have the same `qid` (rank_llm's stored
    results, RankGPT). DPR's and UPR's questions have none and are numbered from 0, if no record of the file has one.

    Raises:
        QPeftError: As `json_objects`; also if the qid of a record is unknown.
    """
    ids = _QueryIds()
    for where, record in json_objects(path, what=what):
        yield where, ids.next(record, where), record


class _QueryIds:
    """Gives each record of a file its qid, or its number if the records have none."""

    def __init__(self) -> None:
        self._numbered: bool | None = None
        self._records = 0

    def next(self, record: Mapping[str, Any], where: str) -> str:
        """The qid of the next record."""
        qid = _qid(record, where)
        if self._numbered is None:
            self._numbered = qid is None and "question" in record
        if self._numbered and qid is not None:
            raise QPeftError(f"{where}: a query id, where the records before have none")
        self._records += 1
        return as_id(self._records - 1 if self._numbered else qid, where, "the query id")


def _qid(record: Mapping[str, Any], where: str) -> Any:
    query = record.get("query")
    qid = first_of(query if isinstance(query, dict) else record, QID_FIELDS)
    hits = first_of(record, HITS_FIELDS)
    if qid is not None or not isinstance(hits, list):
        return qid
    qids = {str(hit["qid"]) for hit in hits if isinstance(hit, dict) and hit.get("qid") is not None}
    if len(qids) > 1:
        raise QPeftError(f"{where}: the hits of one query have different query ids: {', '.join(sorted(qids)[:3])}")
    return next(iter(qids), None)


def _hits(record: Mapping[str, Any], where: str) -> list[ScoredDoc]:
    hits = first_of(record, HITS_FIELDS)
    if not isinstance(hits, list):
        raise QPeftError(f"{where}: no list of hits (looked for {', '.join(HITS_FIELDS)})")
    return [_hit(hit, f"{where}: hit {place}") for place, hit in enumerate(hits, start=1)]


def _hit(hit: Any, where: str) -> ScoredDoc:
    if not isinstance(hit, dict):
        raise QPeftError(f"{where}: expected a JSON object with docid and score, not {type(hit).__name__}")
    docid = as_id(first_of(hit, DOCID_FIELDS), where, "the docid")
    document = hit["doc"] if isinstance(hit.get("doc"), dict) else hit
    return ScoredDoc(docid, as_score(hit.get("score"), f"{where} ({docid})"), document_text(document))
