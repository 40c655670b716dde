"""Runs: TREC's six columns here, JSON handed on to `requests`."""

import logging
from itertools import pairwise

from pyserini_qpeft.data.fields import as_score
from pyserini_qpeft.data.files import PathLike, first_line, numbered_lines
from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.data.requests import read_requests
from pyserini_qpeft.errors import QPeftError

_logger = logging.getLogger(__name__)


def read_run(path: PathLike, *, strict: bool = False) -> Run:
    """Reads a run, told by its content: TREC, Pyserini's DPR JSON, rank_llm requests, or this package's JSONL.

    Hits are in the order of their scores, highest first, whatever the rank column says, as in trec_eval;
    equal scores keep the order of the file, which is the first stage's. (trec_eval breaks ties by docid.)
    A docid that occurs twice for a query is kept twice, and told of in a warning.

    Args:
        path: The file; gzipped or not.
        strict: For evaluation: refuse a docid that occurs twice for a query, a query whose lines are in two
            places, and scores or ranks that are not in order.

    Raises:
        QPeftError: No such file, an empty one, a line with too few columns, a score that is not a finite
            number, broken JSON.
    """
    start = first_line(path, what="a run").lstrip()
    run = read_requests(path) if start[0] in "{[" else _read_trec(path, strict=strict)
    for qid, hits in run.items():
        if strict and any(above.score < below.score for above, below in pairwise(hits)):
            raise QPeftError(f"{path}: the scores of query {qid} do not descend")
        hits.sort(key=lambda hit: -hit.score)
    _look_for_repeats(run, path, strict=strict)
    return run


def _read_trec(path: PathLike, *, strict: bool) -> Run:
    run: Run = {}
    last_qid, last_rank = "", -1
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        fields = line.split(maxsplit=5)
        if len(fields) < 6:
            raise QPeftError(f"{where}: {len(fields)} columns, where a TREC run has 6 (qid Q0 docid rank score tag)")
        qid, _, docid, rank, score, _ = fields
        hits = run.setdefault(qid, [])
        hits.append(ScoredDoc(docid, as_score(score, where)))
        if not strict:
            continue
        if not rank.isdecimal():
            raise QPeftError(f"{where}: the rank {rank!r} is not a whole number")
        if len(hits) > 1:
            if qid != last_qid:
                raise QPeftError(f"{where}: query {qid} occurs a second time, after other queries")
            if int(rank) <= last_rank:
                raise QPeftError(f"{where}: rank {rank} of query {qid} does not follow {last_rank}")
            if hits[-1].score > hits[-2].score:
                raise QPeftError(f"{where}: score {score} of query {qid} is above that of the line before")
        last_qid, last_rank = qid, int(rank)
    return run


def _look_for_repeats(run: Run, path: PathLike, *, strict: bool) -> None:
    repeats = 0
    example = ""
    for qid, hits in run.items():
        if len({hit.docid for hit in hits}) == len(hits):
            continue
        seen: set[str] = set()
        for hit in hits:
            if hit.docid in seen:
                repeats += 1
                example = example or f"{hit.docid} for query {qid}"
            seen.add(hit.docid)
    if repeats and strict:
        raise QPeftError(f"{path}: document {example} occurs twice ({repeats} such lines in all)")
    if repeats:
        _logger.warning("%s: %d hits repeat a docid of their query, first %s", path, repeats, example)
