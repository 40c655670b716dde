"""A query, five hits with their texts, and rerankers with other settings."""

from typing import Any

from pyserini_qpeft import QPeftReranker, RerankConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

PASSAGES = {
    "d1": "Paris is the capital of France.",
    "d2": "The Nile runs through Egypt and is a river.",
    "d3": "Aaron is a prophet, high priest and the brother of Moses.",
    "d4": "",
    "d5": "Linda Davis sings Does He Love Me with Reba. 日本 🗼",
}
QUERY = "what is the name of the river"
HITS = [(docid, text, 10.0 - place) for place, (docid, text) in enumerate(PASSAGES.items())]


def configured(reranker: QPeftReranker, **changes: Any) -> QPeftReranker:
    """The reranker with other settings; it ranks by the likelihood alone unless a fusion is given."""
    scorer = reranker.scorer
    if "scoring" in changes:
        scorer = LikelihoodScorer(scorer.model, scorer.encoder.tokenizer, changes["scoring"])
    return QPeftReranker(scorer, RerankConfig(**{"fusion": None, **changes}))
