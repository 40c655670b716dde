"""Qrels in the forms of TREC and BEIR."""

import logging

from pyserini_qpeft.data.fields import columns
from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.irds import irds_qrels, is_irds
from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.errors import QPeftError

_LOG = logging.getLogger(__name__)
_HEADERS = {"query-id", "query_id", "queryid", "qid", "query"}
_BLANKS = " \t\r"
_LARGEST_GRADE = 100_000  # trec_eval reserves memory for each grade up to the largest


def read_qrels(path: PathLike) -> Qrels:
    """Reads qrels: TREC's `qid 0 docid grade`, or BEIR's `query-id corpus-id score` with or without its header.

    As in trec_eval, columns are separated by blanks or tabs, and lines may stand in any order. A negative grade means
    not relevant, and not judged for bpref. A line that repeats another counts once. Both are logged.

    Args:
        path: The file, gzipped or not, or a name of ir_datasets (`irds:beir/scifact/test`).

    Raises:
        QPeftError: The file is empty, a line has another form, a grade is not a whole number, or a passage has two
            different grades for a query.
    """
    if is_irds(path):
        return _of_irds(path)
    qrels: Qrels = {}
    width = negative = repeated = 0
    with_tabs = False
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        fields = line.split("\t") if with_tabs and line.count("\t") == 2 else columns(line)
        if not width:
            width = len(fields)
            if width not in (3, 4):
                raise QPeftError(f"{where}: {width} columns, where qrels have 4 (TREC: qid 0 docid grade) or 3 (BEIR)")
            if fields[0].lower() in _HEADERS:
                if width == 4:
                    raise QPeftError(f"{where}: BEIR's header must be query-id, corpus-id, score")
                with_tabs = line.count("\t") == 2  # then a docid may hold blanks
                continue
        if len(fields) != width:
            raise QPeftError(f"{where}: {len(fields)} columns, where the lines before have {width}")
        qid, docid, grade = fields[0].strip(_BLANKS), fields[-2].strip(_BLANKS), _grade(fields[-1], where)
        grades = qrels.setdefault(qid, {})
        if max(grades.get(docid, grade), 0) != max(grade, 0):
            raise QPeftError(f"{where}: document {docid} has two different grades for query {qid}")
        repeated += docid in grades
        negative += grade < 0
        grades[docid] = grade
    if not qrels:
        raise QPeftError(f"{path} is empty, where qrels were expected")
    if repeated:
        _LOG.warning("%s: lines that repeat an earlier one and count once: %d", path, repeated)
    if negative:
        _LOG.warning("%s: negative grades, which count as not relevant: %d", path, negative)
    return qrels


def _of_irds(path: PathLike) -> Qrels:
    qrels: Qrels = {}
    for qid, docid, grade in irds_qrels(path):
        grades = qrels.setdefault(qid, {})
        grades[docid] = max(grade, grades.get(docid, grade))  # some collections judge a passage several times
    return qrels


def _grade(text: str, where: str) -> int:
    try:
        value = float(text)
        if value.is_integer() and abs(value) <= _LARGEST_GRADE:
            return int(value)
    except ValueError:
        pass
    raise QPeftError(f"{where}: the grade {text!r:.40} is not a whole number up to {_LARGEST_GRADE}")
