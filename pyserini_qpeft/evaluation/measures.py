"""A run against qrels: the value of each measure for each query, computed by ir-measures.

Everything follows trec_eval. Hits are ordered by score in single precision, and equal scores by docid, descending; the
order of the lines in a file does not matter. A query of the qrels that is not in the run counts as 0
(`trec_eval -c`). A query of the run that is not in the qrels is left out.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyserini_qpeft.data.records import Qrels, Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.evaluation.gdeval import is_of_gdeval, with_gdeval
from pyserini_qpeft.evaluation.overlap import examples
from pyserini_qpeft.evaluation.own_measures.register import register_own_measures

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MEASURES = ("nDCG@10", "AP", "RR@10", "R@100", "P@10")

_QUERIES_AT_ONCE = 1_000
"""Queries whose hits are in memory at the same time."""

_WRITE_IT = "write it as in nDCG@10, AP, RR@10, R@100 or P@10"


def parse_measures(names: Iterable[str]) -> list[Any]:
    """Find the measures with these names.

    Args:
        names: Names as ir-measures writes them, such as `nDCG@10`, `AP(rel=2)`, `RR@10`, `MAP`, `MRR`, and the names
            of this package's own measures, such as `Ceiling@100`.

    Returns:
        ir-measures' measures in the order of the names, each once.

    Raises:
        QPeftError: A name is unknown or has no cutoff, no installed library computes the measure, or the measure is
            not a mean over queries.
    """
    import ir_measures

    register_own_measures()
    measures: dict[Any, None] = {}
    for name in names:
        try:
            measure = ir_measures.parse_measure(name)
        except (NameError, ValueError):
            close = did_you_mean(name.partition("@")[0].partition("(")[0], ir_measures.measures.registry)
            raise QPeftError(f"{name!r} is not a measure; {_WRITE_IT}.{close}") from None
        for parameter, allowed in measure.SUPPORTED_PARAMS.items():
            if parameter not in measure.params and allowed.required:
                raise QPeftError(f"the measure {name!r} needs a {parameter}; {_WRITE_IT}")
        try:
            measure.validate_params()
        except AssertionError as mistake:
            raise QPeftError(f"the measure {name!r} is not valid: {mistake}") from None
        cutoff = measure.params.get("cutoff", 1)
        if isinstance(cutoff, int) and cutoff < 1:
            raise QPeftError(f"the cutoff of the measure {name!r} must be 1 or more")
        if not isinstance(measure.aggregator(), ir_measures.MeanAgg):
            raise QPeftError(f"{name!r} is a count over all queries; choose measures that are means over queries")
        # `any` stops at the first provider, so that slow ones are imported only if no other computes the measure.
        if not any(one.supports(measure) and one.is_available() for one in ir_measures.DefaultPipeline.providers):
            raise QPeftError(f"no installed library computes the measure {name!r}")
        measures[measure] = None
    if not measures:
        raise QPeftError("no measure was given; write at least one, such as nDCG@10")
    return list(measures)


def trec_eval_order(hits: Sequence[ScoredDoc]) -> list[str]:
    """Return the docids in trec_eval's order; a docid that occurs twice keeps its higher rank."""
    scores = np.array([hit.score for hit in hits], dtype=np.float32)
    if np.isnan(scores).any():
        raise QPeftError(f"the score of document {hits[int(np.isnan(scores).argmax())].docid} is not a number")
    pairs = sorted(zip(scores.tolist(), (hit.docid for hit in hits), strict=True), reverse=True)
    return list(dict.fromkeys(docid for _, docid in pairs))


def score_queries(run: Run, qrels: Qrels, measures: Sequence[str] = DEFAULT_MEASURES) -> "pd.DataFrame":
    """Compute each measure for each judged query.

    Args:
        run: Hits by qid, in any order.
        qrels: Grades by qid and docid; each query becomes a row, in the order of the qrels.
        measures: Names of measures, see `parse_measures`.

    Returns:
        Float64 frame, qids by measures; the means of its columns are what trec_eval prints.

    Raises:
        QPeftError: No query of the run is judged, a measure is unknown, or a measure does not take the grades.
    """
    import ir_measures
    import pandas as pd

    parsed = parse_measures(measures)
    of_gdeval = [measure for measure in parsed if is_of_gdeval(measure)]
    others = [measure for measure in parsed if measure not in of_gdeval]
    judged = [qid for qid in qrels if run.get(qid)]
    if not run.keys() & qrels.keys():
        raise QPeftError(
            f"no query of the run is in the qrels (run: {examples(run)}; qrels: {examples(qrels)}); "
            "give the qrels of the same topics"
        )
    values = {(qid, str(measure)): 0.0 for qid in qrels for measure in parsed}
    for start in range(0, len(judged), _QUERIES_AT_ONCE):
        some = judged[start : start + _QUERIES_AT_ONCE]
        # Some providers of ir-measures break ties in another way than trec_eval, so they get scores without ties.
        strict_order: dict[str, dict[str, float]] = {}
        for qid in some:
            docids = trec_eval_order(run[qid])
            strict_order[qid] = {docid: float(len(docids) - place) for place, docid in enumerate(docids)}
        for group, grades in _with_grades(others, {qid: qrels[qid] for qid in some}):
            for metric in ir_measures.iter_calc(group, grades, strict_order):
                values[metric.query_id, str(metric.measure)] = float(metric.value)
        for group, grades in _with_grades(of_gdeval, {qid: qrels[qid] for qid in some}):
            for qid, measure, value in with_gdeval(group, grades, strict_order):
                values[qid, str(measure)] = value
    columns = [str(measure) for measure in parsed]
    rows = [[values[qid, column] for column in columns] for qid in qrels]
    return pd.DataFrame(rows, index=pd.Index(list(qrels), name="qid"), columns=columns, dtype="float64")


def _with_grades(measures: Sequence[Any], qrels: Qrels) -> list[tuple[list[Any], Qrels]]:
    """Divides measures into groups, each with the qrels that it needs if some grades are negative.

    trec_eval writes outside of its arrays at a negative grade. It is read as 0; for bpref the passage is not judged.
    """
    not_judged = [measure for measure in measures if measure.NAME == "Bpref"]
    if not not_judged or all(grade >= 0 for grades in qrels.values() for grade in grades.values()):
        not_judged = []
    others = [measure for measure in measures if measure not in not_judged]
    zero = {qid: {docid: max(grade, 0) for docid, grade in grades.items()} for qid, grades in qrels.items()}
    judged = {qid: {docid: g for docid, g in grades.items() if g >= 0} for qid, grades in qrels.items()}
    return [(group, grades) for group, grades in ((others, zero), (not_judged, judged)) if group]
