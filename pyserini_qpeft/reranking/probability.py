"""The last step of reranking: the probability of relevance of each hit, and a threshold on it."""

from dataclasses import replace

from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.requests import Reranked


def with_probabilities(reranked: Reranked, config: RerankConfig) -> Reranked:
    """The list with the probability of each rescored hit, without the hits below the minimum.

    If there is a minimum, hits that were not rescored are dropped too, because nothing is known of their probability.
    The ranks of the hits that stay are counted from 1 again.

    Args:
        reranked: The whole list of one query.
        config: Its `calibration` and `minimum_probability`.
    """
    calibration, minimum = config.calibration, config.minimum_probability
    whole = len(reranked.hits)
    hits, hints = reranked.hits, reranked.hints
    if calibration is not None and (prior := reranked.prior) is not None:
        hits = RankedHits(
            hit if hit.likelihood is None else replace(hit, probability=calibration.probability(hit.likelihood, prior))
            for hit in hits
        )
    if minimum is not None:
        kept = [place for place, hit in enumerate(hits) if hit.probability is not None and hit.probability >= minimum]
        hits = RankedHits(replace(hits[place], rank=rank) for rank, place in enumerate(kept, start=1))
        hints = None if hints is None else [hints[place] for place in kept]
    return replace(reranked, hits=hits, hints=hints, dropped=whole - len(hits))
