"""Other depths and fusion weights for hits that are scored already: no model, the same ranking as the reranker's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyserini_qpeft.data.records import Qrels, RankedList, Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_DEPTHS = (5, 10, 20, 50, 100, 200, 500, 1000)
DEFAULT_WEIGHTS = tuple(round(step * 0.05, 2) for step in range(21))


@dataclass(frozen=True, slots=True)
class TwoStageHit:
    """A hit with what both stages say of it; `likelihood` is None where it was not scored."""

    docid: str
    first_stage_score: float
    likelihood: float | None


TwoStageRun = dict[str, list[TwoStageHit]]
"""Hits of each query in the order of the first stage."""


def from_ranked_lists(lists: Iterable[RankedList]) -> TwoStageRun:
    """The two stages out of reranked lists, which keep the first stage's score and rank beside their own.

    Raises:
        QPeftError: a list that was cut after reranking, so that the first stage cannot be told from it.
    """
    run: TwoStageRun = {}
    for ranked in lists:
        hits = sorted(ranked.hits, key=lambda hit: hit.first_stage_rank)
        for place, hit in enumerate(hits, start=1):
            if hit.first_stage_rank != place:
                raise QPeftError(
                    f"query {ranked.qid}: the first stage's hit {place} is not in the reranked list; "
                    "write all hits of the first stage"
                )
        run[ranked.qid] = [TwoStageHit(hit.docid, hit.first_stage_score, hit.likelihood) for hit in hits]
    return run


def join_runs(first_stage: Run, likelihood: Run) -> TwoStageRun:
    """The two stages out of two runs; a hit that the second lacks was not scored.

    Raises:
        QPeftError: the runs have no query in common, or a document of the second is not in the first.
    """
    if not set(first_stage) & set(likelihood):
        raise QPeftError("the first-stage run and the likelihood run have no query in common")
    joined: TwoStageRun = {}
    for qid, hits in first_stage.items():
        scores = {hit.docid: hit.score for hit in likelihood.get(qid, [])}
        joined[qid] = [TwoStageHit(hit.docid, hit.score, scores.pop(hit.docid, None)) for hit in hits]
        if scores:
            raise QPeftError(
                f"query {qid}: document {next(iter(scores))} has a likelihood and is not in the first-stage run"
            )
    return joined


def reach(run: TwoStageRun) -> int:
    """The greatest depth at which every hit above it has a likelihood; a list scored whole sets no limit.

    Raises:
        QPeftError: a list whose first hit is not scored, so that there is nothing to vary.
    """
    deepest, longest = None, 0
    for qid, hits in run.items():
        scored = next((place for place, hit in enumerate(hits) if hit.likelihood is None), None)
        longest = max(longest, len(hits))
        if scored == 0:
            raise QPeftError(f"query {qid}: the first hit, document {hits[0].docid}, has no likelihood")
        if scored is not None:
            deepest = scored if deepest is None else min(deepest, scored)
    return longest if deepest is None else deepest


def rank(run: TwoStageRun, depth: int | None, fusion: FusionConfig | None) -> Run:
    """Rerank hits that are scored already, as `QPeftReranker` does: head by score, the tail below in its order.

    Args:
        run: hits with the scores of both stages.
        depth: how many of each list's first hits are reordered; None is all.
        fusion: how the scores become one; None is the likelihood alone.

    Returns:
        A run whose scores say nothing but the order.

    Raises:
        QPeftError: a hit above the depth has no likelihood.
    """
    ranked: Run = {}
    for qid, hits in run.items():
        head = hits[:depth]
        likelihoods = [_likelihood(qid, hit, depth) for hit in head]
        final = np.asarray(likelihoods, dtype=np.float64)
        if fusion is not None:
            final = fuse([hit.first_stage_score for hit in head], likelihoods, fusion)
        order = [*np.argsort(-final, kind="stable").tolist(), *range(len(head), len(hits))]
        ranked[qid] = [ScoredDoc(hits[place].docid, float(-at)) for at, place in enumerate(order)]
    return ranked


def sweep(
    run: TwoStageRun,
    qrels: Qrels,
    measure: str,
    depths: Sequence[int],
    weights: Sequence[float] = DEFAULT_WEIGHTS,
    fusion: FusionConfig | None = None,
) -> "pd.DataFrame":
    """The mean of a measure at every depth and fusion weight.

    Args:
        run: hits with the scores of both stages.
        qrels: judgements; all their queries count.
        measure: name of the measure.
        depths: numbers of hits rescored.
        weights: shares of the likelihood, 0 to 1.
        fusion: method of fusion; its weight is replaced.

    Returns:
        Float64 frame, depths by weights.
    """
    import pandas as pd

    base = fusion or FusionConfig()
    values = [
        [
            score_queries(rank(run, depth, replace(base, weight=weight)), qrels, [measure]).iloc[:, 0].mean()
            for weight in weights
        ]
        for depth in depths
    ]
    return pd.DataFrame(values, index=pd.Index(depths, name="depth"), columns=pd.Index(weights, name="weight"))


def judged_only(run: Mapping[str, list[TwoStageHit]], qrels: Qrels) -> TwoStageRun:
    """The lists of judged queries, which are all that a sweep need rank."""
    return {qid: hits for qid, hits in run.items() if qid in qrels}


def _likelihood(qid: str, hit: TwoStageHit, depth: int | None) -> float:
    if hit.likelihood is None:
        raise QPeftError(
            f"query {qid}: document {hit.docid} has no likelihood within depth {'all' if depth is None else depth}; "
            "rerank deeper, or choose a smaller depth"
        )
    return hit.likelihood
