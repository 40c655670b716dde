"""This package, the bare model: query likelihood without hints."""

from typing import Any

from benchmarks.arithmetic import Reading
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig, Quantization
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.adapters import make_adapter

# Texts are cut already; with the words of the prompt a cut text may have a few tokens more.
UNCUT = 1 << 20


def reranker(
    place: ModelFolders, variant: str = "none", quantize: Quantization | None = None, **scoring: Any
) -> QPeftReranker:
    """Returns our reranker with a new adapter; without an adapter if the variant is none."""
    model, tokenizer = load_model(ModelConfig(str(place.causal()), NO_ADAPTER, place.device, place.dtype, quantize))
    if variant != "none":
        model = make_adapter(model, tokenizer, AdapterConfig(variant=variant), seed=1)  # type: ignore[arg-type]
    settings = ScoringConfig(**{"passage_tokens": UNCUT, **scoring})
    scorer = LikelihoodScorer(model.requires_grad_(False).eval(), tokenizer, settings)
    return QPeftReranker(scorer, RerankConfig(scoring=settings))


def loaded(ours: QPeftReranker) -> Loaded:
    """Returns our reranker as a loaded way of scoring."""

    def score(pairs: Pairs) -> Scores:
        return ours.predict(pairs)

    def readings(pairs: Pairs) -> list[Reading]:
        sequences = ours.scorer.sequences(pairs)
        if not ours.scorer.planner.packs:
            return [Reading(len(one), len(one.query)) for one in sequences]
        passages = {id(one.shared_ids): len(one.shared_ids) for one in sequences}
        queries = [Reading(len(one.following), len(one.query), len(one.shared_ids)) for one in sequences]
        return [*(Reading(length, 0) for length in passages.values()), *queries]

    return Loaded(ours.scorer.model, score, readings)


RIVAL = Rival("ours", against="ours", load=lambda place: loaded(reranker(place)))
