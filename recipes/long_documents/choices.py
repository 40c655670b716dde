"""Ways of combining the windows of a reranked run, computed from the likelihoods of its windows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, ScoredDoc
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.windows.combining import combine
from pyserini_qpeft.windows.config import WindowConfig

Values = npt.NDArray[np.float64]
"""nDCG@10 of each query."""

COMBINATIONS = {
    "first": WindowConfig("first"),
    "max": WindowConfig("max"),
    **{f"mean of {best}": WindowConfig("mean", best=best) for best in (2, 3, 5)},
    **{f"smooth, t = {t:g}": WindowConfig("smooth", temperature=t) for t in (0.03, 0.1, 0.3, 1.0)},
}


def ndcg(
    lists: Iterable[RankedList], qrels: Qrels, windows: WindowConfig | None, fusion: FusionConfig | None
) -> Values:
    """nDCG@10 of each judged query, in the order of the qrels.

    Args:
        lists: Reranked lists with windows; with `windows=None` their likelihoods are used as they are.
        qrels: The queries that count.
        windows: How the likelihoods of windows become one.
        fusion: How likelihoods and first-stage scores become one; None is the likelihood alone.
    """
    run = {one.qid: _ranked(one.hits, windows, fusion) for one in lists if one.qid in qrels}
    return score_queries(run, qrels, ["nDCG@10"])["nDCG@10"].to_numpy()


def best_on_average[Name](values: Mapping[Name, Values]) -> Name:
    """The name with the highest mean on development queries, the first of equals."""
    return max(values, key=lambda name: round(float(np.mean(values[name])), 9))


def _ranked(hits: Sequence[RankedHit], windows: WindowConfig | None, fusion: FusionConfig | None) -> list[ScoredDoc]:
    before = sorted(hits, key=lambda hit: hit.first_stage_rank)
    if windows is not None:
        before = [replace(hit, likelihood=combine([one.likelihood for one in hit.windows], windows)) for hit in before]
    likelihoods = [hit.likelihood for hit in before if hit.likelihood is not None]
    ranking = rank_hits(likelihoods, [hit.first_stage_score for hit in before], fusion)
    return [ScoredDoc(before[place].docid, score) for place, score in zip(ranking.order, ranking.scores, strict=True)]
