"""Rankings at other depths and fusion weights, for hits that are scored already; no model is needed."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger(__name__)

DEFAULT_DEPTHS = (5, 10, 20, 50, 100, 200, 500, 1000)
DEFAULT_WEIGHTS = tuple(round(step * 0.05, 2) for step in range(21))


@dataclass(frozen=True, slots=True)
class TwoStageHit:
    """A hit with the scores of both stages; `likelihood` is None if it was not rescored."""

    docid: str
    first_stage_score: float
    likelihood: float | None


TwoStageRun = dict[str, list[TwoStageHit]]
"""Hits of each query in the order of the first stage."""


def from_ranked_lists(lists: Iterable[RankedList]) -> TwoStageRun:
    """Both stages of reranked lists, which keep the first stage's score and rank beside their own.

    Raises:
        QPeftError: A list was cut after reranking, so that it does not hold the first stage's list; or it is the list
            of a cascade, whose last stage reranked another order than the first stage's.
    """
    run: TwoStageRun = {}
    for ranked in lists:
        if of_cascade(ranked.hits):
            raise QPeftError(
                f"query {ranked.qid}: the list is that of a cascade of several models; give a run of one model"
            )
        hits = in_first_stage_order(ranked)
        run[ranked.qid] = [TwoStageHit(hit.docid, hit.first_stage_score, hit.likelihood) for hit in hits]
    return run


def in_first_stage_order(ranked: RankedList) -> list[RankedHit]:
    """The hits of a reranked list in the order of the first stage.

    Raises:
        QPeftError: One is missing: the list was cut after reranking, such as by a minimum probability.
    """
    if ranked.dropped:
        raise QPeftError(
            f"query {ranked.qid}: {ranked.dropped} hits are not in the reranked list, because their probability was "
            "too low; rerank without a minimum probability"
        )
    hits = sorted(ranked.hits, key=lambda hit: hit.first_stage_rank)
    for place, hit in enumerate(hits, start=1):
        if hit.first_stage_rank != place:
            raise QPeftError(
                f"query {ranked.qid}: the first stage's hit {place} is not in the reranked list; "
                "write all hits of the first stage"
            )
    return hits


def two_stage_runs(lists: Mapping[str, Collection[RankedList]], qrels: Qrels) -> dict[str, TwoStageRun]:
    """Both stages of the judged queries of several runs, for plots of fusion weight and depth.

    A run without likelihoods, or of a cascade, is left out. So is one that cannot be ranked anew: a list was cut,
    or its first hit was not rescored. A warning says so.

    Args:
        lists: Reranked lists by the name of the run.
        qrels: The qrels.
    """
    found = {}
    for name, ranked in lists.items():
        judged = [one for one in ranked if one.qid in qrels]
        hits = [hit for one in judged for hit in one.hits]
        if of_cascade(hits) or all(hit.likelihood is None for hit in hits):
            continue
        try:
            run = from_ranked_lists(judged)
            reach(run)
        except QPeftError as mistake:
            _logger.warning("%s is not in the plots of fusion weight and depth: %s", name, mistake)
            continue
        found[name] = run
    return found


def of_cascade(hits: Sequence[RankedHit]) -> bool:
    """Whether a cascade of several models ranked the hits."""
    return any(hit.stages is not None and len(hit.stages) > 1 for hit in hits)


def join_runs(first_stage: Run, likelihood: Run) -> TwoStageRun:
    """Both stages of two runs; a hit that the second run lacks was not rescored.

    Raises:
        QPeftError: The runs have no query in common, a document of the second is not in the first, or a score of the
            second is above 0, so that it is not a likelihood.
    """
    if not set(first_stage) & set(likelihood):
        raise QPeftError("the first-stage run and the likelihood run have no query in common")
    joined: TwoStageRun = {}
    for qid, hits in first_stage.items():
        scores = {hit.docid: hit.score for hit in likelihood.get(qid, [])}
        if max(scores.values(), default=0.0) > 0:
            raise QPeftError(
                f"query {qid}: a score of the likelihood run is {max(scores.values())}, and a mean log-probability is "
                "never above 0: write the run with qpeft rerank --fusion none"
            )
        joined[qid] = [TwoStageHit(hit.docid, hit.score, scores.pop(hit.docid, None)) for hit in hits]
        if scores:
            raise QPeftError(
                f"query {qid}: document {next(iter(scores))} has a likelihood and is not in the first-stage run"
            )
    return joined


def reach(run: TwoStageRun) -> int:
    """The greatest depth within which every hit has a likelihood; a list that was rescored whole sets no limit.

    Raises:
        QPeftError: The first hit of a list was not rescored.
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


def depths_within(run: TwoStageRun) -> list[int]:
    """The depths that are tried by default: those of `DEFAULT_DEPTHS` below the greatest depth, and this depth."""
    deepest = reach(run)
    return sorted({depth for depth in DEFAULT_DEPTHS if depth < deepest} | {deepest})


def rank(run: TwoStageRun, depth: int | None, fusion: FusionConfig | None) -> Run:
    """Rerank hits that are scored already, by the ranking rule of `QPeftReranker`.

    Args:
        run: Hits with the scores of both stages.
        depth: How many of each list's first hits are rescored; None is all.
        fusion: How the scores become one; None is the likelihood alone.

    Returns:
        A run with the order and the scores that `qpeft rerank` writes for these scores.

    Raises:
        QPeftError: A hit above the depth has no likelihood.
    """
    ranked: dict[str, list[ScoredDoc]] = {}
    for qid, hits in run.items():
        likelihoods = [_likelihood(qid, hit, depth) for hit in hits[:depth]]
        ranking = rank_hits(likelihoods, [hit.first_stage_score for hit in hits], fusion, depth=depth)
        ranked[qid] = [
            ScoredDoc(hits[place].docid, score) for place, score in zip(ranking.order, ranking.scores, strict=True)
        ]
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
        run: Hits with the scores of both stages.
        qrels: The qrels; all their queries count.
        measure: Name of the measure.
        depths: Numbers of hits rescored.
        weights: Shares of the likelihood, 0 to 1.
        fusion: Method of fusion; its weight is not used.

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
    """The lists of the queries that have qrels."""
    return {qid: hits for qid, hits in run.items() if qid in qrels}


def _likelihood(qid: str, hit: TwoStageHit, depth: int | None) -> float:
    if hit.likelihood is None:
        raise QPeftError(
            f"query {qid}: document {hit.docid} has no likelihood within depth {'all' if depth is None else depth}; "
            "rerank deeper, or choose a smaller depth"
        )
    return hit.likelihood
