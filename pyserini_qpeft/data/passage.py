"""The one rule for the text of a passage: whatever names its parts have, it reads the same."""

import re
from collections.abc import Mapping
from typing import Any

TEXT_FIELDS = ("text", "segment", "contents", "content", "body", "passage")
"""Names of the body in BEIR, rank_llm, Pyserini and MS MARCO documents; the first that is there counts."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def passage_text(title: str, text: str) -> str:
    """Joins title and body with a newline, stripped; an empty one leaves nothing behind.

    Quotes around a whole first line are taken off where more lines follow: Pyserini's Wikipedia indexes
    hold a passage as `"title"`, newline, text. Giving the outcome back as `text` changes nothing, so a
    passage that went through an index equals the one from the corpus. Half surrogate pairs, which
    broken JSON escapes leave and no tokenizer takes, become U+FFFD.

    Args:
        title: May be empty.
        text: May be empty.
    """
    joined = _LONE_SURROGATE.sub("\ufffd", f"{title}\n{text}").strip()
    while joined.startswith('"'):
        first, newline, rest = joined.partition("\n")
        first = first.rstrip()
        if not newline or len(first) < 2 or not first.endswith('"'):
            break
        joined = f"{first[1:-1].replace('""', '"')}\n{rest}".strip()
    return joined


def title_and_text(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """The title (empty where there is none) and the first of `TEXT_FIELDS`; None where it has none of those."""
    text = next((document[field] for field in TEXT_FIELDS if isinstance(document.get(field), str)), None)
    if text is None:
        return None
    title = document.get("title")
    return (title if isinstance(title, str) else ""), text


def document_text(document: Mapping[str, Any]) -> str | None:
    """The passage in a document given as a mapping of fields.

    Args:
        document: A BEIR or Pyserini JSON document, or the `doc` of a rank_llm candidate.

    Returns:
        `passage_text` of its title and text; None where it has no text.
    """
    parts = title_and_text(document)
    return None if parts is None else passage_text(*parts)
