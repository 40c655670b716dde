"""Which combination of the likelihoods of windows is best on dev queries; no model is needed."""

from collections.abc import Collection
from dataclasses import replace

from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.sweep import TwoStageRun, from_ranked_lists
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
    lists: Collection[RankedList], dev_qrels: Qrels, windows: WindowConfig, config: TuneConfig | None = None
) -> tuple[Tuned, TwoStageRun]:
    """Choose the combination together with depth and weight, see `tune`. Of equal means the simplest one is taken.

    Args:
        lists: Reranked lists with the likelihood of every window of each document; how these were combined has no
            effect.
        dev_qrels: Qrels of the dev queries, and of no others.
        windows: How the documents were cut.
        config: The grid.

    Returns:
        What was chosen, and the lists with the likelihoods of the chosen combination.

    Raises:
        QPeftError: No document has several windows, or as for `tune`.
    """
    if all(len(hit.windows) < 2 for one in lists for hit in one.hits):
        raise QPeftError(
            "no document of the run has several windows: rerank the dev queries with --windows and --output-format "
            "jsonl."
        )
    found: tuple[Tuned, TwoStageRun] | None = None
    for tried in combinations(windows):
        run = from_ranked_lists(replace(one, hits=[_combined(hit, tried) for hit in one.hits]) for one in lists)
        tuned = tune(run, dev_qrels, config)
        if found is None or round(tuned.value, 9) > round(found[0].value, 9):
            found = replace(tuned, config=replace(tuned.config, windows=tried)), run
    assert found is not None
    return found


def _combined(hit: RankedHit, windows: WindowConfig) -> RankedHit:
    """The hit with the likelihood that it has with these windows."""
    if hit.likelihood is None or not hit.windows:
        return hit
    return replace(hit, likelihood=combine([window.likelihood for window in hit.windows], windows))
