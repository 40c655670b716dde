"""MS MARCO's runs: three columns, with ranks in place of scores."""

from collections.abc import Iterable

from pyserini_qpeft.data.fields import columns
from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.records import RankedList, Run, ScoredDoc
from pyserini_qpeft.data.run_formats.run_format import RunFormat, check_ids, check_scores
from pyserini_qpeft.data.stored_run import Clean, StoredRun, stored_lines
from pyserini_qpeft.errors import QPeftError


def _recognise(line: str) -> bool:
    fields = columns(line)
    return len(fields) == 3 and fields[2].isdecimal()


def _read(path: PathLike) -> Run:
    return _parse(path, numbered_lines(path))


def _store(path: PathLike, clean: Clean) -> StoredRun | None:
    return stored_lines(path, clean, _parse)


def _parse(path: PathLike, lines: Iterable[tuple[int, str]]) -> Run:
    """Reads lines; the score of a hit is 1/rank, as in Pyserini.

    Two hits of a query cannot share a rank. This also keeps qrels of three columns from being read as a run.
    """
    ranks: dict[str, dict[int, str]] = {}
    for number, line in lines:
        fields = columns(line)
        if len(fields) != 3 or not fields[2].isdecimal() or len(fields[2]) > 18 or int(fields[2]) < 1:
            raise QPeftError(f"{path}:{number}: not a line of an MS MARCO run, which is qid, docid, rank from 1")
        qid, docid, rank = fields[0], fields[1], int(fields[2])
        if rank in ranks.setdefault(qid, {}):
            raise QPeftError(
                f"{path}:{number}: query {qid} has rank {rank} twice; is this a file of qrels and not a run?"
            )
        ranks[qid][rank] = docid
    return {qid: [ScoredDoc(docid, 1 / rank) for rank, docid in by_rank.items()] for qid, by_rank in ranks.items()}


def _lines(ranked: RankedList, tag: str) -> str:
    check_ids(ranked)
    check_scores(ranked)
    return "".join(f"{ranked.qid}\t{hit.docid}\t{hit.rank}\n" for hit in ranked.hits)


FORMAT = RunFormat("msmarco", "qid docid rank", _recognise, _read, _lines, store=_store)
