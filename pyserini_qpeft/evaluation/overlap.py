"""Do a run and its judgements speak of the same queries and documents? If not, every measure is 0 and means nothing."""

import re
from collections.abc import Iterable
from itertools import islice

from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import QPeftError


def check_overlap(run: Run, qrels: Qrels, run_file: PathLike, qrels_name: str) -> None:
    """Refuse a run that shares no query with the judgements, or no document.

    Args:
        run: hits by qid.
        qrels: judgements.
        run_file: the file that the run was read from.
        qrels_name: file or name of the judgements.

    Raises:
        QPeftError: there is nothing in common; the first query or document is named with its line.
    """
    judged = [qid for qid in run if qid in qrels]
    if not judged:
        first = next(iter(run))
        raise QPeftError(
            f"{_place(run_file, first)}: query {first} is not judged in {qrels_name}, nor is any other of the run "
            f"(run: {examples(run)}; qrels: {examples(qrels)}); give the qrels of the same topics"
        )
    known = {docid for grades in qrels.values() for docid in grades}
    hits = [(qid, hit.docid) for qid in judged for hit in run[qid]]
    if hits and not any(docid in known for _, docid in hits):
        qid, docid = hits[0]
        raise QPeftError(
            f"{_place(run_file, qid, docid)}: document {docid} is in no judgement of {qrels_name}, nor is any other "
            f"of the run (run: {examples(docid for _, docid in hits)}; qrels: {examples(known)}); "
            "do they number documents in another way?"
        )


def examples(names: Iterable[str], shown: int = 3) -> str:
    """The first few of some names, for a message."""
    some = list(islice(names, shown + 1))
    return ", ".join(some[:shown]) + (", …" if len(some) > shown else "") if some else "empty"


def _place(path: PathLike, *words: str) -> str:
    """The file, with its first line that has all the words; JSON may have them on several lines, or not as they are."""
    patterns = [re.compile(rf'(?<![^\s"]){re.escape(word)}(?![^\s"])') for word in words]
    for number, line in numbered_lines(path):
        if all(pattern.search(line) for pattern in patterns):
            return f"{path}:{number}"
    return str(path)
