"""TREC's runs: six columns."""

from collections.abc import Iterable

from pyserini_qpeft.data.fields import as_score, columns
from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.data.records import RankedList, Run, ScoredDoc
from pyserini_qpeft.data.run_formats.run_format import RunFormat, check_ids, check_scores
from pyserini_qpeft.data.stored_run import Clean, StoredRun, stored_lines
from pyserini_qpeft.errors import QPeftError


def _recognise(line: str) -> bool:
    return len(columns(line)) >= 6


def _read(path: PathLike) -> Run:
    return _parse(path, numbered_lines(path))


def _store(path: PathLike, clean: Clean) -> StoredRun | None:
    return stored_lines(path, clean, _parse)


def _parse(path: PathLike, lines: Iterable[tuple[int, str]]) -> Run:
    """Reads lines as trec_eval does: the rank column is ignored and lines may stand in any order."""
    run: dict[str, list[ScoredDoc]] = {}
    for number, line in lines:
        fields = columns(line)
        if len(fields) < 6:
            raise QPeftError(
                f"{path}:{number}: {len(fields)} columns, where a TREC run has 6 (qid Q0 docid rank score tag)"
            )
        run.setdefault(fields[0], []).append(ScoredDoc(fields[2], as_score(fields[4], f"{path}:{number}")))
    return run


def _lines(ranked: RankedList, tag: str) -> str:
    """Scores have all their digits, so that no two different ones become equal in print."""
    check_ids(ranked)
    check_scores(ranked)
    return "".join(f"{ranked.qid} Q0 {hit.docid} {hit.rank} {float(hit.score)!r} {tag}\n" for hit in ranked.hits)


FORMAT = RunFormat("trec", "qid Q0 docid rank score tag", _recognise, _read, _lines, store=_store)
