"""Attention that reads shared keys and values in place gives the numbers of transformers' own."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from tiny import PAIRS, tiny_model, tiny_tokenizer
from torch.nn import functional
from transformers import AutoModelForCausalLM, FalconConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from pyserini_qpeft.scoring import grouped_attention as module
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.grouped_attention import grouped_attention
from pyserini_qpeft.scoring.packed_rows import why_not_packed
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]


class Layer:
    num_key_value_groups = 3
    is_causal = True


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of heads of the keys in each attention of torch."""
    found: list[int] = []
    attend = functional.scaled_dot_product_attention

    def noted(query: Any, key: Any, *arguments: Any, **settings: Any) -> Any:
        found.append(key.shape[1])
        return attend(query, key, *arguments, **settings)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", noted)
    return found


def test_the_numbers_are_those_of_transformers_and_nothing_is_copied(heads: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 6, 5, 8, generator=generator)
    key, value = (torch.randn(2, 2, 9, 8, generator=generator) for _ in range(2))
    seen = torch.rand(2, 1, 5, 9, generator=generator) < 0.7
    seen[..., 0] = True
    for mask in (seen, torch.where(seen, 0.0, -1e9)):
        own = sdpa_attention_forward(Layer(), query, key, value, mask, scaling=0.3)[0]
        with grouped_attention():
            got = sdpa_attention_forward(Layer(), query, key, value, mask, scaling=0.3)[0]
        torch.testing.assert_close(got, own)
        assert heads[-2:] == [6, 2]


def test_the_setting_is_put_back_and_that_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module._VARIABLE, raising=False)
    with grouped_attention(), grouped_attention():
        assert os.environ[module._VARIABLE] == "1"
    assert module._VARIABLE not in os.environ
    monkeypatch.setenv(module._VARIABLE, "0")
    with grouped_attention():
        assert os.environ[module._VARIABLE] == "0"
    assert os.environ[module._VARIABLE] == "0"


def test_a_scorer_that_starts_while_another_thread_scores_packs_its_pairs() -> None:
    model = tiny_model()
    with grouped_attention():
        assert why_not_packed(model, None, 1024) is None


def test_a_model_that_compares_the_name_of_its_attention_scores_the_same_behind_cached_passages() -> None:
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    settings = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": False}
    model = AutoModelForCausalLM.from_config(FalconConfig(vocab_size=len(tokenizer), **settings)).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.add_(torch.randn_like(weight) * 0.15)
    scorers = [LikelihoodScorer(model, tokenizer, ScoringConfig(passage_cache_bytes=size)) for size in (0, 1 << 24)]
    without, cached = (scorer.score(scorer.sequences(POOL)) for scorer in scorers)
    np.testing.assert_allclose(cached, without, atol=1e-5)


def test_a_model_whose_heads_share_keys_reads_them_in_place_behind_cached_passages(heads: list[int]) -> None:
    model = tiny_model()
    scorer = LikelihoodScorer(model, tiny_tokenizer(), ScoringConfig(passage_cache_bytes=1 << 24))
    sequences = scorer.sequences(POOL)
    scorer.score(sequences)
    heads.clear()
    scorer.score(sequences)
    assert set(heads) == {model.config.num_key_value_heads} != {model.config.num_attention_heads}
