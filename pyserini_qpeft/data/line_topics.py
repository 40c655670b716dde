"""Topics with a query on each line and no tab: TREC's web queries (`12:query`) and the headings of TREC CAR."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_plus

from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.errors import QPeftError

LAYOUT = "number:query, or number:priority:query"

# A priority, as in TREC's million-query track, stands between the number and the query.
_WEB = re.compile(r"\s*0*(\d+):(?:\d+:)?(?=\s*\S)([^\t]*)")
_CAR = re.compile(r"\s*(enwiki:\S+)\s*")


def reader_of_lines(line: str) -> Callable[[PathLike], Iterator[tuple[str, str, object]]] | None:
    """The reader for a file whose first line is `line`, or None if it has none of these forms.

    The reader yields `file:line`, number and query of each topic, and raises a QPeftError at a line of another form.
    """
    if _CAR.fullmatch(line):
        return _car_topics
    return _web_topics if _WEB.fullmatch(line) else None


def _web_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    for number, line in numbered_lines(path):
        found = _WEB.fullmatch(line)
        if found is None:
            raise QPeftError(f"{path}:{number}: not {LAYOUT}, as the lines before")
        yield f"{path}:{number}", found[1], found[2]


def _car_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    """The id of a topic is the whole line, and its query the heading, with `%20` and `+` decoded."""
    for number, line in numbered_lines(path):
        found = _CAR.fullmatch(line)
        if found is None:
            raise QPeftError(f"{path}:{number}: not a heading of TREC CAR (enwiki:…), as the lines before")
        yield f"{path}:{number}", found[1], unquote_plus(found[1].removeprefix("enwiki:"))
