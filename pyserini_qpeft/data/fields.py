"""The names that files give to ids and texts, and checks of ids, scores and queries. Errors name file and line."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyserini_qpeft.errors import QPeftError

# The first field of a list that a record has counts. In MS MARCO v2 passages `pid` is the passage and `docid` the
# document that it was cut from; DPR's `passage_id` and UPR's `id` stand beside no other id.
QID_FIELDS = ("_id", "qid", "query_id", "query-id", "question_id", "id")
"""Id of a query, in BEIR, rank_llm, Pyserini and DPR files."""

DOCID_FIELDS = ("_id", "pid", "passage_id", "psg_id", "docid", "id", "doc_id", "docno", "corpus_id")
"""Id of a passage, in BEIR, MS MARCO v1 and v2, DPR, UPR, rank_llm, Pyserini, TREC and sentence-transformers."""

SCORE_FIELDS = ("score", "relevance_score")
"""Score of a hit, in runs and in the answers of rerankers that are services."""

QUERY_FIELDS = ("text", "query", "question", "title")
"""Text of a query, in BEIR, this package's JSONL, DPR and TREC files."""

TEXT_FIELDS = ("text", "segment", "contents", "content", "body", "passage")
"""Text of a passage without its title, in BEIR, MS MARCO, Pyserini, RankGPT and rank_llm files."""

HITS_FIELDS = ("candidates", "contexts", "ctxs", "hits")
"""Hits of a query, in rank_llm requests, Pyserini's DPR JSON, DPR and UPR output, and this package's JSONL."""

_COLUMN = re.compile(r"[^ \t\v\f\r]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def columns(line: str) -> list[str]:
    """The columns of a line, split at blanks and tabs as trec_eval splits them: an id may hold other white space."""
    return _COLUMN.findall(line)


def first_column(line: str) -> str:
    """The first of the `columns` of a line that is not blank."""
    found = _COLUMN.search(line)
    return found[0] if found else ""


def is_one_column(text: str) -> bool:
    """Whether an id can stand in a file of columns."""
    return columns(text) == [text] and "\n" not in text


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which broken JSON escapes leave and no tokenizer or file takes."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def as_text(value: object, what: str) -> str:
    """A text that is given in Python, repaired by `without_surrogates`.

    Raises:
        QPeftError: The value is not a string. The message begins with `what`.
    """
    if not isinstance(value, str):
        raise QPeftError(f"{what} must be a string, not {value!r:.60}.")
    return without_surrogates(value)


def as_id(value: object, where: str, what: str) -> str:
    """A docid or qid as a string. Whole numbers are accepted.

    Raises:
        QPeftError: The value is neither a string nor a whole number, is blank, or has a lone surrogate.
    """
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise QPeftError(f"{where}: {what} {'is missing' if value in (None, '') else f'{value!r} is not an id'}")
    text = str(value)
    if _LONE_SURROGATE.search(text):
        raise QPeftError(f"{where}: {what} {text!r} has half of a surrogate pair: correct its \\u escape")
    return text


def as_score(value: object, where: str) -> float:
    """A score given as a number or as text.

    Raises:
        QPeftError: The value is not a finite number.
    """
    try:
        score = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise QPeftError(f"{where}: the score is too large a number") from None
    except (TypeError, ValueError):
        raise QPeftError(f"{where}: the score {value!r:.60} is not a number") from None
    if not math.isfinite(score):
        raise QPeftError(f"{where}: the score is {score}, and it must be a finite number")
    return score


def as_query(value: object, where: str) -> str:
    """The text of a query, stripped; empty if the query is blank.

    Raises:
        QPeftError: The value is not a string.
    """
    if not isinstance(value, str):
        raise QPeftError(f"{where}: the query has no text")
    return without_surrogates(value).strip()


def first_of(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of `names` that `fields` has, or None."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)
