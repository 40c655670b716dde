"""The results of the demo as text for a terminal of 100 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import RankedHit, RankedList

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
ROWS = 10
_MARKS = {2: "●", 1: "○"}
_BEFORE, _AFTER, _HINTS = 30, 30, 27


def side_by_side(
    before: RankedList, after: RankedList, hints: Sequence[Sequence[str]], grades: Mapping[str, int]
) -> str:
    """The top of one question's list before and after reranking, with the hints of each passage on the right.

    Args:
        before: The first stage's list.
        after: The same hits reranked.
        hints: Hint tokens of each hit shown of `after`, in its order.
        grades: Grade of each judged docid.
    """
    lines = [
        f"“{before.query}”",
        f"    {'before: BM25':{_BEFORE}}   {'after: BM25 + likelihood':{_AFTER}} was  hints",
    ]
    # A token may be a hint at several places of the passage; it is shown once.
    words = [" ".join(dict.fromkeys(token for token in tokens if token)) for tokens in hints]
    for rank, (old, new, word) in enumerate(zip(before.hits[:ROWS], after.hits[:ROWS], words, strict=False), start=1):
        line = f"{rank:2}  {_cell(old, grades, _BEFORE)}   {_cell(new, grades, _AFTER)} {new.first_stage_rank:3}  "
        lines.append((line + textwrap.shorten(word, _HINTS, placeholder=" …")).rstrip())
    return "\n".join(lines)


def legend() -> str:
    """The meaning of the marks."""
    return "● answers the question   ○ helps   (judged by hand)   was: rank before"


def measures_table(means: "pd.DataFrame") -> str:
    """The means as a table with a line for each ranking."""
    rows = [["", *means.columns]]
    rows += [[str(stage), *(f"{mean:.4f}" for mean in values)] for stage, values in means.iterrows()]
    return "\n".join(f"    {stage:12}" + "".join(f"{cell:>10}" for cell in cells) for stage, *cells in rows)


def _cell(hit: RankedHit, grades: Mapping[str, int], width: int) -> str:
    mark = _MARKS.get(grades.get(hit.docid, 0), " ")
    room = width - len(f"{mark} ")
    return f"{mark} {_short(hit.docid, room):{room}}"


def _short(name: str, width: int) -> str:
    """A qualified name, shortened at its start if it is too long: its last parts say most."""
    last_parts = name
    while len(name) > width and "." in last_parts:
        last_parts = last_parts.partition(".")[2]
        name = f"…{last_parts}"
    return name if len(name) <= width else f"{name[: width - 1]}…"
