"""sentence-transformers' CrossEncoder, used as in its documentation."""

import torch

from benchmarks.rivals.classifier import PairReadings, needed
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders


def load(place: ModelFolders) -> Loaded:
    """Loads a classifier with the body of the model."""
    library = needed("sentence_transformers", "sentence-transformers")
    encoder = library.CrossEncoder(
        str(place.classifier(labels=1)),
        device=place.device,
        model_kwargs={"dtype": getattr(torch, place.dtype)},
        max_length=512,
    )

    def score(pairs: Pairs) -> Scores:
        scores: Scores = encoder.predict([list(pair) for pair in pairs], show_progress_bar=False)
        return scores

    return Loaded(encoder[0].auto_model, score, PairReadings(encoder.tokenizer))


RIVAL = Rival("CrossEncoder", against="ours", load=load)
