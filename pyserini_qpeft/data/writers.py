"""Final lists as TREC, MS MARCO and JSONL."""

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

from pyserini_qpeft.data.files import PathLike, atomic_write
from pyserini_qpeft.data.records import RankedList
from pyserini_qpeft.errors import QPeftError

RunFormat = Literal["trec", "msmarco", "jsonl"]

_HIT_NUMBERS = ("score", "rank", "first_stage_score", "first_stage_rank", "likelihood")


def write_trec(path: PathLike, results: Iterable[RankedList], tag: str = "qpeft") -> None:
    """Writes `qid Q0 docid rank score tag` lines; see `to_trec`."""
    _write(path, results, formatter("trec", tag))


def write_msmarco(path: PathLike, results: Iterable[RankedList]) -> None:
    """Writes `qid`, docid and rank, parted by tabs; see `to_msmarco`."""
    _write(path, results, to_msmarco)


def write_jsonl(path: PathLike, results: Iterable[RankedList]) -> None:
    """Writes one object a query, with texts and hints where they are known; see `to_jsonl`."""
    _write(path, results, to_jsonl)


def formatter(form: RunFormat, tag: str = "qpeft") -> Callable[[RankedList], str]:
    """The function that turns one query's list into the lines of a format; `tag` is the run's name in TREC."""
    if form == "trec":
        if tag.split() != [tag]:
            raise QPeftError(f"the tag of a TREC run must be one word, not {tag!r}")
        return partial(to_trec, tag=tag)
    return {"msmarco": to_msmarco, "jsonl": to_jsonl}[form]


def to_trec(ranked: RankedList, tag: str = "qpeft") -> str:
    """The TREC lines of one query.

    Scores have all their digits, so that no two of them become equal in print.

    Raises:
        QPeftError: A score is NaN or infinite, scores ascend, or an id has white space in it.
    """
    _check(ranked, one_word=True)
    return "".join(f"{ranked.qid} Q0 {hit.docid} {hit.rank} {float(hit.score)!r} {tag}\n" for hit in ranked.hits)


def to_msmarco(ranked: RankedList) -> str:
    """The MS MARCO lines of one query; errors as in `to_trec`."""
    _check(ranked, one_word=True)
    return "".join(f"{ranked.qid}\t{hit.docid}\t{hit.rank}\n" for hit in ranked.hits)


def to_jsonl(ranked: RankedList) -> str:
    """The JSON line of one query: `qid`, `query`, `hits`, and `seconds` where it is known.

    A hit has `docid`, score, rank, first-stage score and rank, likelihood, and `text` and `hints` where known.

    Raises:
        QPeftError: A score is NaN or infinite, or scores ascend.
    """
    _check(ranked, one_word=False)
    hits = []
    for place, hit in enumerate(ranked.hits):
        written: dict[str, Any] = {"docid": hit.docid}
        written |= {name: getattr(hit, name) for name in _HIT_NUMBERS}
        if not math.isfinite(hit.first_stage_score):
            written["first_stage_score"] = None
        if hit.text is not None:
            written["text"] = hit.text
        if ranked.hints is not None and ranked.hints[place] is not None:
            written["hints"] = ranked.hints[place]
        hits.append(written)
    record: dict[str, Any] = {"qid": ranked.qid, "query": ranked.query, "hits": hits}
    if ranked.seconds is not None:
        record["seconds"] = ranked.seconds
    return json.dumps(record, ensure_ascii=False, default=float) + "\n"


def _write(path: PathLike, results: Iterable[RankedList], lines: Callable[[RankedList], str]) -> None:
    with atomic_write(path) as file:
        for ranked in results:
            file.write(lines(ranked))


def _check(ranked: RankedList, *, one_word: bool) -> None:
    if one_word and ranked.qid.split() != [ranked.qid]:
        raise QPeftError(f"query id {ranked.qid!r} has white space in it, which no run can hold: write JSONL")
    above = math.inf
    for hit in ranked.hits:
        if one_word and hit.docid.split() != [hit.docid]:
            raise QPeftError(
                f"docid {hit.docid!r} of query {ranked.qid} has white space in it, which no run can hold: write JSONL"
            )
        score = float(hit.score)  # numpy would compare in the precision of the coarser of two
        if not math.isfinite(score):
            raise QPeftError(f"query {ranked.qid}: the score of document {hit.docid} is {score}")
        if score > above:
            raise QPeftError(f"query {ranked.qid}: document {hit.docid} scores above the one before it")
        above = score
