"""Relevance judgements in TREC's and BEIR's form."""

from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.errors import QPeftError

_HEADERS = {"query-id", "query_id", "queryid", "qid", "query"}


def read_qrels(path: PathLike, *, strict: bool = False) -> Qrels:
    """Reads judgements: TREC's `qid 0 docid grade`, or BEIR's `query-id corpus-id score` with or without header.

    Args:
        path: The file; gzipped or not.
        strict: For evaluation: also refuse negative grades, spaces in place of the tabs of a file with
            BEIR's header, and a judgement that comes twice.

    Raises:
        QPeftError: An empty file, a line of other form, a grade that is no whole number, or a passage judged
            twice with different grades.
    """
    qrels: Qrels = {}
    columns = 0
    tabbed = False
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        fields = line.split()
        if not columns:
            columns = len(fields)
            if columns not in (3, 4):
                raise QPeftError(
                    f"{where}: {columns} columns, where judgements have 4 (TREC: qid 0 docid grade) or 3 (BEIR)"
                )
            if fields[0].lower() in _HEADERS:
                tabbed = strict
                if columns == 4 or (tabbed and "\t" not in line):
                    raise QPeftError(f"{where}: BEIR's header must be query-id, corpus-id, score, parted by tabs")
                continue
        if tabbed and line.count("\t") != 2:
            raise QPeftError(f"{where}: spaces where BEIR's qrels have tabs between the three columns")
        if len(fields) != columns:
            raise QPeftError(f"{where}: {len(fields)} columns, where the lines before have {columns}")
        qid, docid, grade = fields[0], fields[-2], _grade(fields[-1], where)
        if strict and grade < 0:
            raise QPeftError(f"{where}: negative grade {grade}: set it to 0 where it means not relevant")
        grades = qrels.setdefault(qid, {})
        if docid in grades and (strict or grades[docid] != grade):
            raise QPeftError(f"{where}: document {docid} is judged twice for query {qid}")
        grades[docid] = grade
    if not qrels:
        raise QPeftError(f"{path} is empty, where judgements were expected")
    return qrels


def _grade(text: str, where: str) -> int:
    try:
        value = float(text)
        if value.is_integer():
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise QPeftError(f"{where}: the grade {text!r} is not a whole number")
