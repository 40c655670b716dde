"""The hits of one query as a list that shows itself as a table in a notebook and becomes a DataFrame."""

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from html import escape
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from pyserini_qpeft.data.records import RankedHit

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_HITS = 20
_SHOWN_CHARACTERS = 160


class RankedHits(list[RankedHit]):
    """Hits in rank order. It is a list; a slice of it is one of these, too.

    Args:
        hits: In rank order.
    """

    def __init__(self, hits: Iterable[RankedHit] = ()) -> None:
        super().__init__(hits)

    @overload
    def __getitem__(self, place: SupportsIndex) -> RankedHit: ...

    @overload
    def __getitem__(self, place: "slice[Any, Any, Any]") -> "RankedHits": ...

    def __getitem__(self, place: "SupportsIndex | slice[Any, Any, Any]") -> "RankedHit | RankedHits":
        if isinstance(place, slice):
            return RankedHits(super().__getitem__(place))
        return super().__getitem__(place)

    def to_dataframe(self) -> "pd.DataFrame":
        """A DataFrame with a row for each hit, and a column for each attribute of `RankedHit`.

        A likelihood or a probability that is not known is NaN. The column `stages` is left out without a cascade. If
        documents were scored through windows, `windows` holds lists of dictionaries, and `best_passage` the text of the
        best window; else these columns are left out.
        """
        import pandas as pd

        columns = [field.name for field in fields(RankedHit)]
        rows = [asdict(hit) for hit in self]
        if all(hit.stages is None for hit in self):
            columns.remove("stages")
        if any(hit.windows for hit in self):
            columns.append("best_passage")
            for row, hit in zip(rows, self, strict=True):
                row |= {"best_passage": hit.best_passage and hit.best_passage.text, "windows": list(row["windows"])}
        else:
            columns.remove("windows")
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype({name: "float64" for name in ("score", "first_stage_score", "likelihood", "probability")})

    def _repr_html_(self) -> str:
        """The table that a notebook shows: the first hits, and the beginnings of their texts or best passages."""
        known = any(hit.probability is not None for hit in self)
        heads = ["rank", "docid", "score", "likelihood", *(["probability"] if known else [])]
        heads += ["first-stage rank", "first-stage score", "text"]
        rows = [_row(hit, probability=known) for hit in self[:_SHOWN_HITS]]
        lines = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
        more = len(self) - len(rows)
        note = f"<p>and {more} more hits</p>" if more else ""
        head = "".join(f"<th>{name}</th>" for name in heads)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{note}"


def _row(hit: RankedHit, *, probability: bool) -> tuple[str, ...]:
    moved = hit.first_stage_rank - hit.rank
    arrow = f" ({'↑' if moved > 0 else '↓'}{abs(moved)})" if moved else ""
    best = hit.best_passage
    text = " ".join(((hit.text if best is None else best.text) or "").split())
    return (
        str(hit.rank),
        hit.docid,
        _number(hit.score),
        _number(hit.likelihood),
        *([_number(hit.probability)] if probability else []),
        f"{hit.first_stage_rank}{arrow}",
        _number(hit.first_stage_score),
        text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…",
    )


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"
