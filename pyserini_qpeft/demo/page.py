"""The results of the demo as text for a terminal of 100 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import RankedHit, RankedList

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
ROWS = 10
HINTED = 3
"""How many passages are shown with their hints."""

_MARKS = {2: "●", 1: "○"}
_CELL = 27


def side_by_side(
    first_stage: RankedList,
    likelihood: RankedList,
    fused: RankedList,
    grades: Mapping[str, int],
    hints: Sequence[Sequence[str]] = (),
) -> str:
    """The first hits of one question in the three rankings, and the hints of the first passages.

    Args:
        first_stage: The first stage's list.
        likelihood: The same hits ranked by the likelihood alone.
        fused: The same hits ranked by the fused score.
        grades: Grade of each judged docid.
        hints: Hint tokens of the first hits of `fused`, in its order; empty if the model has no hints.
    """
    titles = ("BM25", "likelihood alone", "likelihood and BM25 fused")
    head = f"    {titles[0]:{_CELL}}  {titles[1]:{_CELL}}  was  {titles[2]:{_CELL}}  was"
    lines = [f"“{first_stage.query}”", head]
    rows = zip(first_stage.hits[:ROWS], likelihood.hits[:ROWS], fused.hits[:ROWS], strict=True)
    for rank, (old, alone, both) in enumerate(rows, start=1):
        cells = f"{_cell(old, grades)}  {_reranked(alone, grades)}  {_reranked(both, grades)}"
        lines.append(f"{rank:2}  {cells}")
    for hit, tokens in zip(fused.hits[:HINTED], hints, strict=False):
        # A token may be a hint at several places of the passage; it is shown once.
        if words := " ".join(dict.fromkeys(token for token in tokens if token)):
            line = f"hints in {_short(hit.docid, 40)}: {words}"
            lines.append(f"    {textwrap.shorten(line, WIDTH - 4, placeholder=' …')}")
    return "\n".join(lines)


def legend(model: str, fusion_weight: float) -> str:
    """The meaning of the columns and marks.

    Args:
        model: Name of the model.
        fusion_weight: Share of the likelihood in the fused score, 0 to 1.
    """
    text = (
        "● answers the question, ○ helps (judged by hand); was: rank in BM25's list. "
        f"likelihood: how likely the language model ({model}) finds the question after it has read the passage. "
        f"fused: {fusion_weight:g} × likelihood + {1 - fusion_weight:g} × BM25, both normalized; the default ranking "
        "(qpeft tune finds the weight for your own queries)."
    )
    return textwrap.fill(text, WIDTH)


def measures_table(means: "pd.DataFrame") -> str:
    """The means as a table with a line for each ranking."""
    rows = [["", *means.columns]]
    rows += [[str(stage), *(f"{mean:.4f}" for mean in values)] for stage, values in means.iterrows()]
    return "\n".join(f"    {stage:12}" + "".join(f"{cell:>10}" for cell in cells) for stage, *cells in rows)


def _reranked(hit: RankedHit, grades: Mapping[str, int]) -> str:
    return f"{_cell(hit, grades)}  {hit.first_stage_rank:3}"


def _cell(hit: RankedHit, grades: Mapping[str, int]) -> str:
    mark = _MARKS.get(grades.get(hit.docid, 0), " ")
    room = _CELL - len(f"{mark} ")
    return f"{mark} {_short(hit.docid, room):{room}}"


def _short(name: str, width: int) -> str:
    """A qualified name, shortened at its start if it is too long: its last parts say most."""
    last_parts = name
    while len(name) > width and "." in last_parts:
        last_parts = last_parts.partition(".")[2]
        name = f"…{last_parts}"
    return name if len(name) <= width else f"{name[: width - 1]}…"
