"""What a format of runs consists of, and the checks that all writers share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pyserini_qpeft.data.fields import is_one_column
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.records import RankedList, Run
from pyserini_qpeft.data.stored_run import Clean, StoredRun
from pyserini_qpeft.errors import QPeftError


@dataclass(frozen=True, slots=True)
class RunFormat:
    """A format of run files.

    Attributes:
        name: Name of the format in options.
        layout: What a line holds, for messages and help.
        recognise: Whether a file has this format, decided by its first line that is not blank.
        read: Reads a run; hits in any order.
        lines: The lines of one query's list, each with its line end; the second argument is the run's tag.
        holds_queries: Whether the file holds the text of the queries too.
        header: What the file begins with, with its line end.
        store: Opens a large run so that its hits stay in the file (see `stored_run`); the second argument is applied to
            the hits of each query. It returns None if the file does not allow it. None: the format has no such way.
    """

    name: str
    layout: str
    recognise: Callable[[str], bool]
    read: Callable[[PathLike], Run]
    lines: Callable[[RankedList, str], str]
    holds_queries: bool = False
    header: str = ""
    store: Callable[[PathLike, Clean], StoredRun | None] | None = None


def check_scores(ranked: RankedList) -> None:
    """Refuses a list that a reader would sort in another way.

    Raises:
        QPeftError: A score is NaN or infinite, or is above the score before it.
    """
    above = math.inf
    for hit in ranked.hits:
        score = float(hit.score)  # numpy would compare in the precision of the coarser of two
        if not math.isfinite(score):
            raise QPeftError(f"query {ranked.qid}: the score of document {hit.docid} is {score}, and it must be finite")
        if score > above:
            raise QPeftError(f"query {ranked.qid}: document {hit.docid} scores above the one before it")
        above = score


def check_ids(ranked: RankedList) -> None:
    """Refuses ids that a file of columns cannot hold.

    Raises:
        QPeftError: The qid or a docid is empty or has a blank, a tab or a line end in it.
    """
    if not is_one_column(ranked.qid):
        raise QPeftError(f"query id {ranked.qid!r} has white space in it, which no run can hold: write JSONL")
    for hit in ranked.hits:
        if not is_one_column(hit.docid):
            raise QPeftError(
                f"docid {hit.docid!r} of query {ranked.qid} has white space in it, which no run can hold: write JSONL"
            )
