"""Makes this package's own measures known to ir-measures, so that they have names such as `Ceiling@100`."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from pyserini_qpeft.evaluation.own_measures import OWN_MEASURES

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[[Mapping[str, int], Sequence[str]], float]
"""Takes the grades of a query's judged docids and its ranked docids, and returns the value for the query."""


def register_own_measures() -> None:
    """Adds each of `OWN_MEASURES` to ir-measures' registry, once."""
    import ir_measures

    for name, file in OWN_MEASURES.items():
        if name not in ir_measures.measures.registry:
            measure: Measure = getattr(import_module(f"{__package__}.{file}"), file)
            ir_measures.measures.register(ir_measures.define_byquery(_on_frames(measure), name=name))


def _on_frames(measure: Measure) -> "Callable[[pd.DataFrame, pd.DataFrame], float]":
    def compute(qrels: "pd.DataFrame", run: "pd.DataFrame") -> float:
        ranked = run.sort_values("score", ascending=False, kind="stable")
        grades = zip(qrels["doc_id"], qrels["relevance"].astype(int).tolist(), strict=True)
        return measure(dict(grades), ranked["doc_id"].tolist())

    return compute
