"""Gated hints: shut, they are not there at all; open, they count; the words after the passage can be trained too."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import PeftModel, get_peft_model
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft import PromptEncoder, QPeftConfig
from pyserini_qpeft.qpeft.template import PromptTemplate
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
SHUT, OPEN = -1e9, 0.0


def scores(model: Any, pairs: list[tuple[str, str]] = POOL, **config: Any) -> Any:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(**config))
    return scorer.score(scorer.sequences(pairs))


def gated(gate: float, variant: str = "retrieval", architecture: str = "llama", **config: Any) -> Any:
    return adapted(architecture, TOKENIZER, variant=variant, hint_gate=gate, **config)


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
@pytest.mark.parametrize("architecture", ["llama", "qwen3", "opt", "mixtral"])
def test_shut_hints_give_the_scores_of_the_bare_model(architecture: str, variant: str) -> None:
    bare = scores(tiny_model(architecture))
    np.testing.assert_allclose(scores(gated(SHUT, variant, architecture)), bare, atol=1e-5)
    assert np.abs(scores(gated(OPEN, variant, architecture)) - bare).max() > 1e-3


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_a_disabled_adapter_gives_the_scores_of_the_bare_model(variant: str) -> None:
    model = gated(OPEN, variant)
    scorer = LikelihoodScorer(model, TOKENIZER)
    sequences = scorer.sequences(POOL)
    with model.disable_adapter():
        found = scorer.score(sequences)
    np.testing.assert_allclose(found, scores(tiny_model()), atol=1e-5)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    gate=st.floats(-4, 1),
    mode=st.sampled_from(["hard", "suffix"]),
    variant=st.sampled_from(["retrieval", "attention"]),
    budget=st.integers(1, 600),
    limit=st.sampled_from([0, 40_000]),
    shared=st.booleans(),
    seed=st.randoms(),
)
def test_scores_depend_on_neither_company_nor_cache(
    gate: float, mode: str, variant: str, budget: int, limit: int, shared: bool, seed: Any
) -> None:
    model = gated(gate, variant, instruction_mode=mode)
    alone = np.concatenate([scores(model, [pair]) for pair in POOL])
    order = seed.sample(range(len(POOL)), len(POOL))
    config = {"batch_tokens": budget, "passage_cache_bytes": limit, "share_passages": shared}
    found = scores(model, [POOL[i] for i in order], **config)
    np.testing.assert_allclose(found, alone[order], atol=1e-5)


def test_trained_words_start_as_the_words_themselves_and_stand_behind_the_passage() -> None:
    wording = {"suffix": "please generate a question"}
    encoder = PromptEncoder(TOKENIZER, PromptTemplate(**wording), passage_tokens=64)
    words = np.concatenate([encoder.suffix, encoder.question_label])
    config = QPeftConfig(variant="none", instruction_mode="suffix", template=wording, instruction_ids=words.tolist())
    model = get_peft_model(tiny_model(), config)
    hard = scores(adapted("llama", TOKENIZER, variant="none", template=wording))
    np.testing.assert_allclose(scores(model), hard, atol=1e-6)
    sequence = LikelihoodScorer(model, TOKENIZER).sequences([("nile", "Aaron is a prophet")])[0]
    trained = sequence.instruction_index >= 0
    assert sequence.following[trained].tolist() == words.tolist()
    assert sequence.instruction_index[trained].tolist() == list(range(len(words)))
    with torch.no_grad():
        model.base_model.prompt.instruction.add_(1.0)
    assert np.abs(scores(model) - hard).max() > 1e-3


def test_gate_similarity_and_words_are_saved_and_loaded(tmp_path: Any) -> None:
    model = gated(-1.0, instruction_mode="suffix", hint_settings={"similarity": True})
    prompt = model.base_model.prompt
    with torch.no_grad():
        for weight in (prompt.gate, prompt.similarity, prompt.instruction):
            weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    loaded = PeftModel.from_pretrained(tiny_model(), tmp_path)
    np.testing.assert_allclose(scores(loaded), scores(model), atol=1e-6)


def test_similarities_count_once_they_are_trained() -> None:
    model = gated(OPEN, hint_settings={"similarity": True})
    prompt = model.base_model.prompt
    with torch.no_grad():
        prompt.similarity.zero_()
    untrained = scores(model)
    with torch.no_grad():
        prompt.similarity.normal_()
    assert np.abs(scores(model) - untrained).max() > 1e-3
    prompt.config.hint_settings = {}
    np.testing.assert_allclose(scores(model), untrained, atol=1e-6)


def test_a_gate_gets_a_gradient_and_so_do_the_words() -> None:
    model = gated(-1.0, instruction_mode="suffix")
    for name, weight in model.named_parameters():
        weight.requires_grad_("qpeft_" in name)
    scorer = LikelihoodScorer(model, TOKENIZER)
    batch = scorer.row_scorer.collate([[sequence] for sequence in scorer.sequences(PAIRS)])
    model(**batch).scores.sum().backward()
    prompt = model.base_model.prompt
    assert prompt.gate.grad.abs() > 0
    assert prompt.instruction.grad.abs().amax() > 0


def test_a_gate_without_packed_pairs_is_refused() -> None:
    model = gated(-1.0)
    scorer = LikelihoodScorer(model, TOKENIZER)
    batch = scorer.row_scorer.collate([[sequence] for sequence in scorer.sequences(PAIRS)])
    del batch["packing"]
    with pytest.raises(QPeftError, match="needs packed pairs"):
        model(**batch)


@pytest.mark.parametrize("other", [{"hint_position": "prefix"}, {"reference_settings": True}, {"variant": "none"}])
def test_a_gate_needs_hints_behind_the_passage(other: dict[str, Any]) -> None:
    with pytest.raises(QPeftError, match="hint_gate needs"):
        QPeftConfig(hint_gate=-2.0, **other)


def test_a_model_that_takes_no_mask_from_outside_is_refused() -> None:
    with pytest.raises(QPeftError, match="hint_gate cannot be used on this model"):
        scores(gated(-1.0, architecture="bloom"))
