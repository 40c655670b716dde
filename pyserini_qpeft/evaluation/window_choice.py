"""Which combination of the likelihoods of windows is best on dev queries; no model is needed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.records import Qrels, RankedList
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.sweep import TwoStageHit, TwoStageRun, from_ranked_lists, in_first_stage_order
from pyserini_qpeft.evaluation.tune import TuneConfig, Tuned, tune
from pyserini_qpeft.windows.combining import combine
from pyserini_qpeft.windows.config import WindowConfig

_BEST = (2, 3, 5)
_TEMPERATURES = (0.1, 0.3, 1.0)


def combinations(windows: WindowConfig) -> list[WindowConfig]:
    """The combinations that are tried, the simplest first.

    Args:
        windows: How the documents were cut.
    """
    return [
        replace(windows, combine="max"),
        replace(windows, combine="first"),
        *(replace(windows, combine="mean", best=best) for best in _BEST),
        *(replace(windows, combine="smooth", temperature=temperature) for temperature in _TEMPERATURES),
    ]


def tune_windows(
    lists: Iterable[RankedList], dev_qrels: Qrels, windows: WindowConfig, config: TuneConfig | None = None
) -> tuple[Tuned, TwoStageRun]:
    """Choose the combination together with depth and weight, see `tune`. Of equal means the simplest one is taken.

    Args:
        lists: Reranked lists with the likelihood of every window of each document. They are read once. How the
            likelihoods were combined has no effect.
        dev_qrels: Qrels of the dev queries, and of no others.
        windows: How the documents were cut.
        config: The grid.

    Returns:
        What was chosen, and the lists with the likelihoods of the chosen combination.

    Raises:
        QPeftError: No document has several windows, or as for `tune`.
    """
    scored = [_WindowedList.of(one) for one in lists]
    if all(len(likelihoods) < 2 for one in scored for likelihoods in one.windows):
        raise QPeftError(
            "no document of the run has several windows: rerank the dev queries with --windows and --output-format "
            "jsonl."
        )
    found: tuple[Tuned, TwoStageRun] | None = None
    for tried in combinations(windows):
        run = {one.qid: one.combined(tried) for one in scored}
        tuned = tune(run, dev_qrels, config)
        if found is None or round(tuned.value, 9) > round(found[0].value, 9):
            found = replace(tuned, config=replace(tuned.config, windows=tried)), run
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class _WindowedList:
    """The hits of a query in the order of the first stage, and the likelihoods of each hit's windows. No texts."""

    qid: str
    hits: list[TwoStageHit]
    windows: list[npt.NDArray[np.float64]]

    @classmethod
    def of(cls, ranked: RankedList) -> "_WindowedList":
        (hits,) = from_ranked_lists([ranked]).values()
        windows = [
            np.array([window.likelihood for window in hit.windows], dtype=np.float64)
            for hit in in_first_stage_order(ranked)
        ]
        return cls(ranked.qid, hits, windows)

    def combined(self, config: WindowConfig) -> list[TwoStageHit]:
        """The hits with the likelihoods that these windows give them."""
        return [
            hit if hit.likelihood is None or not len(windows) else replace(hit, likelihood=combine(windows, config))
            for hit, windows in zip(self.hits, self.windows, strict=True)
        ]
