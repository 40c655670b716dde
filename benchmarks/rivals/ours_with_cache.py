"""This package with its passage cache, which is empty whenever scoring begins."""

from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from pyserini_qpeft.reranker import QPeftReranker
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_LIMIT = 4 << 30


def load(place: ModelFolders, variant: str = "none") -> Loaded:
    """Loads the bare model, or one with a fresh adapter of that variant."""
    ours = reranker(place, variant, passage_cache_bytes=_LIMIT)
    return Loaded(ours.scorer.model, lambda pairs: score(ours, pairs), readings=None)


def score(ours: QPeftReranker, pairs: Pairs) -> Scores:
    """Scores pairs with a cache that is empty at first."""
    return emptied(ours).predict(pairs)


def emptied(ours: QPeftReranker) -> QPeftReranker:
    """The same reranker with nothing in its cache."""
    scorer = ours.scorer
    return QPeftReranker(LikelihoodScorer(scorer.model, scorer.encoder.tokenizer, scorer.config), ours.config)


RIVAL = Rival("ours, cache", against="ours", load=load)
