"""Measures that ir-measures computes with gdeval, a program of TREC, such as ERR@10.

gdeval reads whole numbers as qids only, docids without blanks, and grades from 0 to 4. So it gets numbers in place of
ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.errors import QPeftError

_HIGHEST_GRADE = 4


def is_of_gdeval(measure: Any) -> bool:
    """Whether ir-measures would compute a measure with gdeval."""
    import ir_measures

    providers = ir_measures.DefaultPipeline.providers
    first = next((one for one in providers if one.supports(measure) and one.is_available()), None)
    return first is not None and first.NAME == "gdeval"


def with_gdeval(
    measures: Sequence[Any], qrels: Qrels, scores: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, Any, float]]:
    """Compute measures for which `is_of_gdeval` is true.

    Args:
        measures: ir-measures' measures.
        qrels: Grades by qid and docid, none of them negative.
        scores: Scores by qid and docid, without ties.

    Yields:
        Qid, measure and value.

    Raises:
        QPeftError: A grade is above 4.
    """
    import ir_measures

    for qid, grades in qrels.items():
        if (highest := max(grades.values(), default=0)) > _HIGHEST_GRADE:
            raise QPeftError(
                f"{measures[0]} takes grades from 0 to {_HIGHEST_GRADE}, and query {qid} has a grade of {highest}"
            )
    qids = list(qrels)
    numbered_qrels, numbered_scores = {}, {}
    for place, qid in enumerate(qids, start=1):
        docids: dict[str, str] = {}
        number = str(place)
        numbered_scores[number] = {_number(docids, docid): score for docid, score in scores.get(qid, {}).items()}
        numbered_qrels[number] = {_number(docids, docid): grade for docid, grade in qrels[qid].items()}
    for metric in ir_measures.iter_calc(measures, numbered_qrels, numbered_scores):
        yield qids[int(metric.query_id) - 1], metric.measure, float(metric.value)


def _number(docids: dict[str, str], docid: str) -> str:
    return docids.setdefault(docid, f"d{len(docids)}")
