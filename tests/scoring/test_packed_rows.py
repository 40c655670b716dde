"""Queries of one passage share its row, and each scores as if it stood there alone."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from tiny import PAIRS, adapted, tiny_configs, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, GPTNeoConfig

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.packed_rows import pack, why_not_packed
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
WORDS = st.sampled_from(["Paris", "the", "river", "prophet", "Nile", "of", "é", "日本", "6,650", "\n", "sings", "—"])
TEXTS = st.lists(WORDS, max_size=30).map(" ".join)
QUERIES = st.lists(WORDS.filter(str.strip), min_size=1, max_size=9).map(" ".join)
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
PACKING = [name for name in tiny_configs() if name not in ("gemma3", "bloom")]


def one_by_one(model: Any, pairs: list[tuple[str, str]], tokenizer: Any = TOKENIZER) -> Any:
    scorer = LikelihoodScorer(model, tokenizer)
    return np.concatenate([scorer.score(scorer.sequences([pair])) for pair in pairs])


def together(model: Any, pairs: list[tuple[str, str]], tokenizer: Any = TOKENIZER, **config: Any) -> Any:
    scorer = LikelihoodScorer(model, tokenizer, ScoringConfig(**config))
    assert scorer.planner.packs
    return scorer.score(scorer.sequences(pairs))


@pytest.mark.parametrize("variant", ["bare", "retrieval", "attention"])
@pytest.mark.parametrize("architecture", PACKING)
def test_scores_are_those_of_each_pair_alone_on_every_architecture(architecture: str, variant: str) -> None:
    tokenizer = tiny_tokenizer(bos=architecture != "gpt2")
    model = tiny_model(architecture) if variant == "bare" else adapted(architecture, tokenizer, variant=variant)
    expected = one_by_one(model, POOL, tokenizer)
    np.testing.assert_allclose(together(model, POOL, tokenizer), expected, atol=1e-5)
    cached = together(model, POOL, tokenizer, passage_cache_bytes=1 << 30)
    np.testing.assert_allclose(cached, expected, atol=1e-5)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    queries=st.lists(QUERIES, min_size=1, max_size=5),
    texts=st.lists(TEXTS, min_size=1, max_size=5),
    left_out=st.integers(0, 3),
    budget=st.integers(1, 600),
    limit=st.sampled_from([0, 1, 40_000]),
    seed=st.randoms(),
)
def test_scores_depend_on_neither_company_nor_order(
    queries: list[str], texts: list[str], left_out: int, budget: int, limit: int, seed: Any
) -> None:
    model = adapted("llama", TOKENIZER, variant="attention")
    pairs = [(query, text) for query in queries for text in texts]
    seed.shuffle(pairs)
    pairs = pairs[left_out:] or pairs
    got = together(model, pairs, batch_tokens=budget, passage_cache_bytes=limit)
    np.testing.assert_allclose(got, one_by_one(model, pairs), atol=1e-5)


@pytest.mark.parametrize("settings", [{"instruction_mode": "soft"}, {"pooled_hints": 2, "variant": "attention"}])
def test_a_trained_instruction_and_pooled_hints_stand_where_they_did(settings: dict[str, Any]) -> None:
    model = adapted("llama", TOKENIZER, **{"variant": "retrieval", **settings})
    np.testing.assert_allclose(together(model, POOL), one_by_one(model, POOL), atol=1e-5)


def test_an_attention_that_adds_its_mask_is_given_one_that_can_be_added() -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny_configs()["llama"], attn_implementation="eager").float().eval()
    np.testing.assert_allclose(together(model, POOL), one_by_one(model, POOL), atol=1e-5)


def test_a_lora_reads_packed_pairs() -> None:
    model = get_peft_model(tiny_model(), LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False))
    np.testing.assert_allclose(together(model, POOL), one_by_one(model, POOL), atol=1e-5)


def test_half_precision_packs_and_scores_close_by() -> None:
    if "ATEN_CPU_CAPABILITY" in os.environ:
        pytest.skip("torch has no bfloat16 attention on some processors if its kernels are limited")
    model = tiny_model().to(torch.bfloat16)
    np.testing.assert_allclose(together(model, POOL), one_by_one(model, POOL), atol=0.1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 400)), max_size=60), st.integers(410, 4000))
def test_a_row_has_one_passage_and_an_end(pairs: list[tuple[int, int]], window: int) -> None:
    shared = [np.arange(place) for place in range(5)]
    sequences = [_Sequence(shared[cached], np.zeros(length)) for cached, length in pairs]
    rows = pack(sequences, range(len(pairs)), window)  # type: ignore[arg-type]
    assert sorted(i for row in rows for i in row) == list(range(len(pairs)))
    for row in rows:
        assert len({pairs[i][0] for i in row}) == 1
        assert len(row) == 1 or sum(pairs[i][1] for i in row) <= min(512, max(window, 1088) - pairs[row[0]][0])


class _Sequence:
    def __init__(self, shared_ids: Any, following: Any) -> None:
        self.shared_ids = shared_ids
        self.following = following


def test_an_attention_that_takes_no_mask_is_recognised_by_its_name() -> None:
    model = tiny_model()
    model.config._attn_implementation = "flash_attention_2"
    assert "flash_attention_2" in (why_not_packed(model, None, 512) or "")


def test_with_the_adapter_disabled_pairs_score_alone_and_packed_ones_are_refused() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    scorer = LikelihoodScorer(model, TOKENIZER)
    sequences = scorer.sequences(POOL)
    with model.disable_adapter():
        np.testing.assert_allclose(scorer.score(sequences), one_by_one(tiny_model(), POOL), atol=1e-5)
        with pytest.raises(QPeftError, match="disabled"):
            scorer.row_scorer.forward([sequences[:: len(PAIRS)]])
    np.testing.assert_allclose(scorer.score(sequences), one_by_one(model, POOL), atol=1e-5)


def test_a_model_that_counts_positions_by_itself_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda *args, position_ids=None, **rest: forward(*args, **rest))
    assert (
        why_not_packed(model, None, 512)
        == "it gives packed pairs other scores than the same pairs in rows of their own"
    )


@pytest.mark.parametrize("reach", [16, 256])
def test_a_model_whose_layers_look_back_so_far_is_found_out(reach: int) -> None:
    torch.manual_seed(0)
    layers = {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": reach}
    config = GPTNeoConfig(vocab_size=400, hidden_size=32, num_heads=4, max_position_embeddings=2048, **layers)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(5)  # so that it matters what is seen
    assert (
        why_not_packed(model, None, 2048)
        == "it gives packed pairs other scores than the same pairs in rows of their own"
    )
