"""The hits of one query as a list, made from a list, a DataFrame or a mapping by docid."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from pyserini_qpeft.data.fields import DOCID_FIELDS
from pyserini_qpeft.errors import QPeftError


@dataclass(frozen=True, slots=True)
class TextHit:
    """A text that is given without a first-stage score.

    Attributes:
        docid: Its docid, or its place in the list, from 0.
        text: The text.
    """

    docid: str
    text: str


def listed(hits: Any) -> list[Any]:
    """The hits of one query, each of a kind that `candidates.hits` reads.

    Args:
        hits: Hits, best first, of which some or all may be texts alone; a DataFrame with a hit in each row (pandas or
            polars; PyTerrier's columns too); or a mapping from docid to text, or to score as in BEIR's results, of
            which the highest comes first.

    Raises:
        QPeftError: The value is a single text, or of another kind that holds no hits.
    """
    if isinstance(hits, Mapping):
        return _of_mapping(hits)
    if hasattr(hits, "columns") and hasattr(hits, "to_dicts"):  # polars, which has a `to_dict` too
        return list(hits.to_dicts())
    if hasattr(hits, "columns") and hasattr(hits, "to_dict"):
        return list(hits.astype(object).where(hits.notna(), None).to_dict("records"))
    if isinstance(hits, str | bytes) or not isinstance(hits, Iterable):
        raise QPeftError(f"the hits of a query must be a list of hits or texts, not {hits!r:.60}.")
    return [TextHit(str(place), hit) if isinstance(hit, str) else hit for place, hit in enumerate(hits)]


def _of_mapping(hits: Mapping[Any, Any]) -> list[Any]:
    if hits.keys() & set(DOCID_FIELDS):
        raise QPeftError(f"the hits of a query must be a list, also if there is one hit: [{{...}}], not {hits!r:.60}.")
    if all(isinstance(score, Real) for score in hits.values()):
        return sorted(hits.items(), key=lambda hit: -hit[1])
    if all(isinstance(text, str) for text in hits.values()):
        return [TextHit(str(docid), text) for docid, text in hits.items()]
    raise QPeftError(f"a mapping of hits must be docid to score or docid to text, not {hits!r:.60}.")
