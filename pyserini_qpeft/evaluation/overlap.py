"""Checks that a run and its qrels have queries and documents in common; otherwise every measure would be 0."""

import re
from collections.abc import Iterable
from itertools import islice

from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import QPeftError


def check_overlap(run: Run, qrels: Qrels, run_file: PathLike, qrels_name: str) -> None:
    """Check that a run shares at least one query and one document with the qrels.

    Args:
        run: Hits by qid.
        qrels: Qrels.
        run_file: The file that the run was read from.
        qrels_name: File or name of the qrels.

    Raises:
        QPeftError: They have nothing in common; the message names the first query or document and its line.
    """
    judged = [qid for qid in run if qid in qrels]
    if not judged:
        first = next(iter(run))
        raise QPeftError(
            f"{_place(run_file, first)}: query {first} is not in {qrels_name}, nor is any other query of the run "
            f"(run: {examples(run)}; qrels: {examples(qrels)}); give the qrels of the same topics"
        )
    known = {docid for grades in qrels.values() for docid in grades}
    first_hit = next(((qid, hits[0].docid) for qid in judged if (hits := run[qid])), None)
    if first_hit is not None and not any(hit.docid in known for qid in judged for hit in run[qid]):
        qid, docid = first_hit
        docids = (hit.docid for qid in judged for hit in run[qid])
        raise QPeftError(
            f"{_place(run_file, qid, docid)}: document {docid} is not in {qrels_name}, nor is any other document "
            f"of the run (run: {examples(docids)}; qrels: {examples(known)}); "
            "check that both use the same docids"
        )


def examples(names: Iterable[str], shown: int = 3) -> str:
    """Return the first few names, for a message."""
    some = list(islice(names, shown + 1))
    return ", ".join(some[:shown]) + (", …" if len(some) > shown else "") if some else "empty"


def _place(path: PathLike, *words: str) -> str:
    """Return the file with the number of the first line that has all the words; only the file if no line has them."""
    patterns = [re.compile(rf'(?<![^\s"]){re.escape(word)}(?![^\s"])') for word in words]
    for number, line in numbered_lines(path):
        if all(pattern.search(line) for pattern in patterns):
            return f"{path}:{number}"
    return str(path)
