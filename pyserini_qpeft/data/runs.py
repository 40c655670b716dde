"""Reads and writes runs in any of the formats of `run_formats`."""

import logging
from collections.abc import Callable, Iterable

from pyserini_qpeft.data.fields import is_one_column
from pyserini_qpeft.data.files import PathLike, atomic_write, first_line
from pyserini_qpeft.data.records import RankedList, Run, ScoredDoc
from pyserini_qpeft.data.run_formats import run_formats
from pyserini_qpeft.data.run_formats.run_format import RunFormat
from pyserini_qpeft.data.stored_run import is_large
from pyserini_qpeft.errors import QPeftError, did_you_mean

_LOG = logging.getLogger(__name__)


def read_run(path: PathLike) -> Run:
    """Reads a run: TREC, MS MARCO, CSV with a header, this package's JSONL, or lists of hits in JSON (see
    `requests.read_requests`).

    Hits are sorted by score, highest first, as in trec_eval, whatever the rank column says. Equal scores keep the
    order of the file, which is the first stage's. (trec_eval breaks ties by docid.) If a docid occurs twice for a
    query, the hit with the lower score is left out and a warning is logged.

    The hits of a large file stay in it and are read again when they are asked for; the file must not change
    meanwhile. This holds for TREC, MS MARCO and CSV files in which the lines of a query stand together, and for JSON
    lines and arrays.

    Args:
        path: The file, gzipped or not.

    Raises:
        QPeftError: The file does not exist, is empty, has an unknown format, or a line that breaks its format.
    """
    form = format_of(path)
    cleaner = _Cleaner()
    stored = form.store(path, cleaner) if form.store is not None and is_large(path) else None
    if stored is not None:
        run: Run = stored
    else:
        cleaner = _Cleaner()
        run = {qid: cleaner(qid, hits) for qid, hits in form.read(path).items()}
    if not run:
        raise QPeftError(f"{path} holds no query")
    if cleaner.repeats:
        _LOG.warning(
            "%s: %d hits repeat a docid of their query and are left out, first %s for query %s",
            *(path, cleaner.repeats, *cleaner.first),
        )
    return run


def format_of(path: PathLike) -> RunFormat:
    """The format of a run file, recognised by its first line.

    Raises:
        QPeftError: The file is empty, or no format fits.
    """
    line = first_line(path, what="a run")
    for form in run_formats().values():
        if form.recognise(line):
            return form
    layouts = "; ".join(f"{form.name}: {form.layout}" for form in run_formats().values())
    raise QPeftError(f"{path}: the first line {line!r:.60} is not a line of a run ({layouts})")


def write_run(path: PathLike, results: Iterable[RankedList], form: str = "trec", tag: str = "qpeft") -> None:
    """Writes lists as a run; the file appears when it is whole, and is gzipped if its name ends in `.gz`.

    Args:
        path: The file.
        results: One list per query.
        form: Name of a format: trec, msmarco, csv or jsonl.
        tag: Name of the run, for formats that have one.

    Raises:
        QPeftError: There is no such format, the file cannot be written, a score is NaN or infinite, scores ascend, or
            the format cannot hold an id.
    """
    lines = formatter(form, tag)
    with atomic_write(path) as file:
        file.write(header_of(form))
        for ranked in results:
            file.write(lines(ranked))


def formatter(form: str, tag: str = "qpeft") -> Callable[[RankedList], str]:
    """The function that turns one query's list into the lines of a format; arguments and errors as `write_run`."""
    if form not in run_formats():
        raise QPeftError(
            f"there is no run format {form}; there are {', '.join(run_formats())}.{did_you_mean(form, run_formats())}"
        )
    if not is_one_column(tag):
        raise QPeftError(f"the tag of a run must be one word, not {tag!r}")
    lines = run_formats()[form].lines
    return lambda ranked: lines(ranked, tag)


def header_of(form: str) -> str:
    """What a file of a format begins with; empty for most formats."""
    return run_formats()[form].header


class _Cleaner:
    """Sorts the hits of queries by score and leaves out docids that occur twice, which it counts."""

    def __init__(self) -> None:
        self.repeats = 0
        self.first = ("", "")

    def __call__(self, qid: str, hits: list[ScoredDoc]) -> list[ScoredDoc]:
        hits.sort(key=lambda hit: -hit.score)
        if len({hit.docid for hit in hits}) == len(hits):
            return hits
        kept: dict[str, ScoredDoc] = {}
        repeated = [hit.docid for hit in hits if kept.setdefault(hit.docid, hit) is not hit]
        self.first = self.first if self.repeats else (repeated[0], qid)
        self.repeats += len(repeated)
        return list(kept.values())
