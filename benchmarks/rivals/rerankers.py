"""rerankers' `TransformerRanker`, its pointwise reranker for sequence classifiers.

Its `UPRRanker`, which also computes query likelihoods, accepts T5 models only.
"""

from itertools import groupby

import numpy as np
import torch

from benchmarks.rivals.classifier import PairReadings, needed
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders


def load(place: ModelFolders) -> Loaded:
    """Loads a classifier with the body of the model."""
    library = needed("rerankers.models.transformer_ranker", "rerankers")
    ranker = library.TransformerRanker(
        str(place.classifier(labels=1)), dtype=getattr(torch, place.dtype), device=place.device, verbose=0
    )

    def score(pairs: Pairs) -> Scores:
        scores = np.zeros(len(pairs), dtype=np.float32)
        for query, group in groupby(enumerate(pairs), key=lambda numbered: numbered[1][0]):
            places, texts = zip(*((place, text) for place, (_, text) in group), strict=True)
            for result in ranker.rank(query, list(texts), doc_ids=list(places)).results:
                scores[result.document.doc_id] = result.score
        return scores

    return Loaded(ranker.model, score, PairReadings(ranker.tokenizer))


RIVAL = Rival("rerankers", against="ours", load=load)
