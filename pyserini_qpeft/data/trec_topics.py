"""TREC's topics: `<top>` with fields whose closing tags are optional, and `<topic number="…">` in XML."""

import re
from collections.abc import Iterator

from pyserini_qpeft.data.fields import as_id, first_of
from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.errors import QPeftError

_NUMBER_LABEL = re.compile(r"number\s*:", re.IGNORECASE)
_TITLE_LABEL = re.compile(r"topic\s*:", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(\w+)([^>]*)>")


def read_trec_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    """Yields `file:line`, number and query of each topic: its field `query`, or else `title`.

    Raises:
        QPeftError: A topic is not closed, or has no number.
    """
    fields: dict[str, str] | None = None
    field, where = "", ""
    for number, line in numbered_lines(path):
        position = 0
        for tag in [*_TAG.finditer(line), None]:
            if fields is not None and field:
                fields[field] = f"{fields.get(field, '')}{line[position : tag.start() if tag else None]}\n"
            if tag is None:
                break
            position = tag.end()
            closing, name, attributes = tag[1], tag[2].lower(), tag[3]
            if name not in ("top", "topic"):
                field = "" if closing else name
            elif closing:
                if fields is not None:
                    yield _topic(fields, where)
                fields, field = None, ""
            else:
                number_attribute = re.search(r'(?:number|id)\s*=\s*"([^"]*)"', attributes)
                fields = {"num": number_attribute[1]} if number_attribute else {}
                field, where = "", f"{path}:{number}"
    if fields is not None:
        raise QPeftError(f"{where}: this topic is never closed; was the file copied whole?")


def _topic(fields: dict[str, str], where: str) -> tuple[str, str, object]:
    qid = _NUMBER_LABEL.sub("", first_of(fields, ("num", "number")) or "").strip()
    query = _TITLE_LABEL.sub("", first_of(fields, ("query", "title")) or "")
    return where, as_id(qid, where, "the topic's number"), " ".join(query.split())
