"""A comparison for programs: CSV and JSON."""

import json
import math
from dataclasses import asdict

from pyserini_qpeft.evaluation.comparison import Comparison
from pyserini_qpeft.evaluation.tables import notes


def to_csv(comparison: Comparison) -> str:
    """CSV with a row for each run and measure: the mean, and the difference from the baseline."""
    means = comparison.means().reset_index().melt(id_vars="run", var_name="measure", value_name="mean")
    differences = comparison.differences_frame()
    if not differences.empty:
        means = means.merge(differences, how="left", on=["run", "measure"], sort=False)
        means = means.astype(dict.fromkeys(("wins", "ties", "losses"), "Int64"))
    return str(means.to_csv(index=False, lineterminator="\n"))


def to_json(comparison: Comparison) -> str:
    """JSON with means, values per query, coverage, differences, answers, latency, reliability and notes."""
    record = {
        "baseline": comparison.baseline,
        "significance": asdict(comparison.significance),
        "runs": {
            name: {
                "mean": frame.mean().to_dict(),
                "coverage": asdict(comparison.coverage[name]),
                "answers": _answers_record(comparison, name),
                "latency": asdict(comparison.latency[name]) if name in comparison.latency else None,
                "reliability": asdict(comparison.reliability[name]) if name in comparison.reliability else None,
                "per_query": frame.to_dict(orient="index"),
            }
            for name, frame in comparison.scores.items()
        },
        "differences": [asdict(one) for one in comparison.differences],
        "notes": notes(comparison),
    }
    return json.dumps(_without_nan(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _answers_record(comparison: Comparison, name: str) -> dict[str, object] | None:
    if name not in comparison.answers:
        return None
    return {str(queries): values.to_dict() for queries, values in comparison.answers[name].iterrows()}


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
