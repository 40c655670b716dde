"""The text of a passage: one rule for all formats, so that a passage reads the same from a corpus and an index."""

from collections.abc import Mapping
from typing import Any

from pyserini_qpeft.data.fields import TEXT_FIELDS, without_surrogates


def passage_text(title: str, text: str) -> str:
    """Joins title and body with a newline and strips the result.

    Quotes around a whole first line are removed if more lines follow: Pyserini's Wikipedia indexes store a passage as
    `"title"`, newline, text. Calling the function again with its result as `text` changes nothing, so a passage from
    an index equals the passage from the corpus. Lone surrogates become U+FFFD.

    Args:
        title: May be empty.
        text: May be empty.
    """
    joined = without_surrogates(f"{title}\n{text}").strip()
    while joined.startswith('"'):
        first, newline, rest = joined.partition("\n")
        first = first.rstrip()
        if not newline or len(first) < 2 or not first.endswith('"'):
            break
        joined = f"{first[1:-1].replace('""', '"')}\n{rest}".strip()
    return joined


def title_and_text(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """The title (empty if missing) and the first of `fields.TEXT_FIELDS`; None if the document has no text."""
    text = next((document[field] for field in TEXT_FIELDS if isinstance(document.get(field), str)), None)
    if text is None:
        return None
    title = document.get("title")
    return (title if isinstance(title, str) else ""), text


def document_text(document: Mapping[str, Any]) -> str | None:
    """The passage in a document that is given as a mapping of fields.

    Args:
        document: A BEIR or Pyserini JSON document, or the `doc` of a rank_llm candidate.

    Returns:
        `passage_text` of its title and text; None if it has no text.
    """
    parts = title_and_text(document)
    return None if parts is None else passage_text(*parts)
