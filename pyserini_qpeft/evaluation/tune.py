"""What is learnt on dev queries: fusion weight and depth, and the calibration of probabilities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pyserini_qpeft.calibration.calibration import Calibration, fit_calibration
from pyserini_qpeft.data.records import Qrels, RankedList
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.evaluation.sweep import (
    DEFAULT_WEIGHTS,
    TwoStageRun,
    depths_within,
    in_first_stage_order,
    judged_only,
    rank,
    sweep,
)
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig, FusionMethod

if TYPE_CHECKING:
    import pandas as pd

_NO_DEV_QUERY = "no query of the run is in the dev qrels; rerank the dev queries first"


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """The depths and weights that are tried, and the measure that chooses."""

    measure: str = field(default="nDCG@10", metadata={"help": "measure to maximise, as a mean over the dev queries"})
    method: FusionMethod = field(default="zscore", metadata={"help": "method of fusion"})
    weights: Sequence[float] = field(
        default=DEFAULT_WEIGHTS, metadata={"help": "shares of the likelihood to try, 0 to 1"}
    )
    depths: Sequence[int] | None = field(
        default=None, metadata={"help": "depths to try (default: 5, 10, 20, 50 …, as deep as hits have likelihoods)"}
    )

    def __post_init__(self) -> None:
        if not self.weights or not all(0 <= weight <= 1 for weight in self.weights):
            raise QPeftError(f"weights must lie between 0 and 1, and are {', '.join(map(str, self.weights)) or 'none'}")
        if self.depths is not None and (not self.depths or min(self.depths) < 1):
            raise QPeftError("depths must be 1 or more, and there must be one")


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best depth and weight of the grid.

    Attributes:
        config: Depth and fusion for `qpeft rerank`.
        measure: Name of the measure.
        value: Its mean over the dev queries with this configuration.
        first_stage: Its mean without reranking.
        queries: Number of dev queries.
        by_weight: Means at the chosen depth, by weight.
        by_depth: Means with the chosen weight, by depth.
    """

    config: RerankConfig
    measure: str
    value: float
    first_stage: float
    queries: int
    by_weight: "pd.Series[float]"
    by_depth: "pd.Series[float]"


def tune(run: TwoStageRun, dev_qrels: Qrels, config: TuneConfig | None = None) -> Tuned:
    """Choose depth and weight by the mean of a measure over the dev queries.

    Of equal means, the one with the smallest depth is taken, and of those the one with the smallest weight.

    Args:
        run: Hits with the scores of both stages; queries that are not in the qrels are ignored.
        dev_qrels: Qrels of the dev queries, and of no others.
        config: The grid.

    Raises:
        QPeftError: The run has no dev query, or hits within a depth have no likelihood.
    """
    config = config or TuneConfig()
    dev = _dev_queries(run, dev_qrels)
    base = FusionConfig(method=config.method)
    depths = sorted(set(config.depths)) if config.depths is not None else depths_within(dev)
    grid = sweep(dev, dev_qrels, config.measure, depths, sorted(set(config.weights)), base)
    values = grid.to_numpy()
    # Depths and weights ascend, so the first maximum has the smallest. Rounded: the last bits of a sum must not decide.
    row, column = (int(place) for place in np.unravel_index(int(values.round(9).argmax()), values.shape))
    return Tuned(
        config=RerankConfig(depth=int(grid.index[row]), fusion=replace(base, weight=float(grid.columns[column]))),
        measure=config.measure,
        value=float(values[row, column]),
        first_stage=float(score_queries(rank(dev, 0, None), dev_qrels, [config.measure]).to_numpy().mean()),
        queries=len(dev_qrels),
        by_weight=grid.iloc[row],
        by_depth=grid.iloc[:, column],
    )


def calibrate(lists: Iterable[RankedList], dev_qrels: Qrels) -> Calibration:
    """Fit the calibration of a model to the rescored hits of the dev queries.

    Args:
        lists: Reranked lists with the prior of each query; queries that are not in the qrels are ignored.
        dev_qrels: Qrels of the dev queries; a grade above 0 is relevant, and a hit without a grade is not.

    Raises:
        QPeftError: There is no dev query, a prior is missing, a list was cut after reranking, or there is nothing to
            learn from the hits.
    """
    queries = []
    for one in lists:
        if one.qid not in dev_qrels:
            continue
        scored = [(hit.docid, hit.likelihood) for hit in in_first_stage_order(one) if hit.likelihood is not None]
        if scored and one.prior is None:
            raise QPeftError(
                f"query {one.qid}: the run does not hold the likelihood of the query without a passage (prior): rerank "
                "the dev queries again with --output-format jsonl"
            )
        gains = [likelihood - (one.prior or 0.0) for _, likelihood in scored]
        queries.append((gains, [dev_qrels[one.qid].get(docid, 0) > 0 for docid, _ in scored]))
    if not queries:
        raise QPeftError(_NO_DEV_QUERY)
    return fit_calibration(queries)


def _dev_queries(run: TwoStageRun, dev_qrels: Qrels) -> TwoStageRun:
    dev = judged_only(run, dev_qrels)
    if not dev:
        raise QPeftError(_NO_DEV_QUERY)
    if not any(dev.values()):
        raise QPeftError("the list of every dev query is empty: rerank them again, and keep all hits")
    return dev
