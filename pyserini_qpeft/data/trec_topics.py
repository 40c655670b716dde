"""Topics in markup: TREC's `<top>` and `<topic>`, NTCIR's `<query>`, CACM's `<DOC>`, and TREC QA's `<QApairs>`."""

import html
import re
from collections.abc import Iterator

from pyserini_qpeft.data.fields import as_id, first_of
from pyserini_qpeft.data.files import PathLike, read_whole
from pyserini_qpeft.errors import QPeftError

_LABELS = {"num": re.compile(r"\s*number\s*:", re.IGNORECASE), "title": re.compile(r"\s*topic\s*:", re.IGNORECASE)}
_TAG = re.compile(r"</?([A-Za-z][\w.-]*)(?:\s[^<>]*)?/?>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_NUMBER = re.compile(r"(?:MB)?0*(\d+)")
_TOPIC = re.compile(r"<(topic|top|QApairs|query|DOC)\b([^>]*)>", re.IGNORECASE)
_ID_ATTRIBUTE = re.compile(r"""\b(?:number|id)\s*=\s*["']([^"']*)["']""")
_ID_FIELDS = ("num", "number", "qid", "docno")
_QUERY_FIELDS = ("query", "title", "content", "question")
_FIELDS = {*_ID_FIELDS, *_QUERY_FIELDS, "desc", "description", "narr", "narrative", "docid", "url", "querytime"}


def read_trec_topics(path: PathLike) -> Iterator[tuple[str, str, object]]:
    """Yields `file:line`, number and query of each topic: its field `query`, or else `title`.

    Entities such as `&amp;` are decoded. The text of inline tags such as `<b>` is kept. A number loses its leading
    zeros, and the MB of the microblog track, as in Pyserini: the qrels have it so.

    Raises:
        QPeftError: A topic is not closed, has no number, or has no text to search for.
    """
    text = _CDATA.sub(lambda found: html.escape(found[1], quote=False), _COMMENT.sub(_same_lines, read_whole(path)))
    place = 0
    while begin := _TOPIC.search(text, place):
        where = f"{path}:{text.count('\n', 0, begin.start()) + 1}"
        end = re.compile(rf"</{begin[1]}\s*>", re.IGNORECASE).search(text, begin.end())
        if end is None:
            raise QPeftError(f"{where}: this topic is never closed; was the file copied whole?")
        yield _topic(begin[1].lower(), begin[2], text[begin.end() : end.start()], where)
        place = end.end()


def _topic(kind: str, attributes: str, body: str, where: str) -> tuple[str, str, object]:
    fields = _fields(body)
    attribute = _ID_ATTRIBUTE.search(attributes)
    qid = attribute[1] if attribute else first_of(fields, _ID_FIELDS) or ""
    number = _NUMBER.fullmatch(qid.strip())
    if kind == "doc":  # what comes after the number is the query
        fields = {"query": _plain(body[body.lower().find("</docno>") + len("</docno>") :])}
    query = first_of(fields, _QUERY_FIELDS)
    qid = as_id(number[1] if number else qid.strip(), where, "the topic's number")
    if query is None:
        raise QPeftError(f"{where}: topic {qid} has no query to search for (looked for {', '.join(_QUERY_FIELDS)})")
    return where, qid, query


def _fields(body: str) -> dict[str, str]:
    """The text of each field of a topic.

    A field ends at its closing tag. Without one (TREC's older topics) it ends at the next field: a known name, or a
    tag at the begin of a line.
    """
    fields: dict[str, str] = {}
    place = 0
    while tag := _TAG.search(body, place):
        place = tag.end()
        name = tag[1].lower()
        if tag[0].startswith("</") or tag[0].endswith("/>"):
            continue
        closing = re.compile(rf"</{re.escape(tag[1])}\s*>", re.IGNORECASE).search(body, place)
        end = closing.start() if closing else _next_field(body, place)
        text = _plain(body[place:end])
        label = _LABELS.get(name)
        fields.setdefault(name, text if label is None else label.sub("", text, count=1).strip())
        place = closing.end() if closing else end
    return fields


def _next_field(body: str, place: int) -> int:
    for tag in _TAG.finditer(body, place):
        line = body[body.rfind("\n", 0, tag.start()) + 1 : tag.start()]
        if not tag[0].startswith("</") and (tag[1].lower() in _FIELDS or (not line.strip() and tag.start() > place)):
            return tag.start()
    return len(body)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _same_lines(comment: re.Match[str]) -> str:
    return "\n" * comment[0].count("\n")
