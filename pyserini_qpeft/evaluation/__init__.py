"""Evaluation of runs: measures, significance tests, tables, plots, tuning, experiments."""

from pyserini_qpeft.evaluation.answers import has_answer, score_answers, summarise_answers
from pyserini_qpeft.evaluation.comparison import Comparison, ComparisonConfig, compare
from pyserini_qpeft.evaluation.coverage import Coverage, cover
from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES, score_queries
from pyserini_qpeft.evaluation.significance import Difference, SignificanceConfig

__all__ = [
    "DEFAULT_MEASURES",
    "Comparison",
    "ComparisonConfig",
    "Coverage",
    "Difference",
    "SignificanceConfig",
    "compare",
    "cover",
    "has_answer",
    "score_answers",
    "score_queries",
    "summarise_answers",
]
