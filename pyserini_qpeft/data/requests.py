"""Lists to rerank in JSON: Pyserini's DPR form, rank_llm's requests, and this package's own JSONL."""

from typing import Any

from pyserini_qpeft.data.fields import DOCID_FIELDS, QID_FIELDS, as_id, as_score, first_of, json_records
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.passage import document_text
from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError

_LISTS = ("candidates", "contexts", "ctxs", "hits")


def read_requests(path: PathLike) -> Run:
    """Reads the lists of a JSON or JSONL file, with the texts that it holds, in file order.

    Takes `{"query": {"qid", "text"}, "candidates": [{"docid", "score", "doc": {…}}]}` (rank_llm),
    `{qid: {"question", "answers", "contexts": [{"docid", "score", "text"}]}}` (Pyserini's
    `convert_trec_run_to_dpr_retrieval_run`), and `{"qid", "query", "hits": [{"docid", "score", "text"}]}`.
    Queries and answers of the same file are read by `topics.read_topics` and `topics.read_answers`.

    Raises:
        QPeftError: Broken JSON, an object without a list of hits, a hit without docid, a score that is not a
            finite number, or a query that occurs twice.
    """
    run: Run = {}
    for where, record in json_records(path, what="a run"):
        qid = request_qid(record, where)
        hits = first_of(record, _LISTS)
        if not isinstance(hits, list):
            raise QPeftError(f"{where}: no list of hits (looked for {', '.join(_LISTS)})")
        if qid in run:
            raise QPeftError(f"{where}: query {qid} occurs a second time")
        run[qid] = [_hit(hit, f"{where}: hit {place}") for place, hit in enumerate(hits, start=1)]
    return run


def request_qid(record: dict[str, Any], where: str) -> str:
    """The qid of a request or topic, which rank_llm keeps inside `query`."""
    query = record.get("query")
    return as_id(first_of(query if isinstance(query, dict) else record, QID_FIELDS), where, "the query id")


def _hit(hit: Any, where: str) -> ScoredDoc:
    if not isinstance(hit, dict):
        raise QPeftError(f"{where}: expected a JSON object with docid and score, not {type(hit).__name__}")
    docid = as_id(first_of(hit, DOCID_FIELDS), where, "the docid")
    document = hit["doc"] if isinstance(hit.get("doc"), dict) else hit
    return ScoredDoc(docid, as_score(hit.get("score"), f"{where} ({docid})"), document_text(document))
