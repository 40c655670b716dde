"""Attention that reads shared keys and values in place gives the numbers of transformers' own."""

import torch
from tiny import tiny_model
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from pyserini_qpeft.scoring import grouped_attention as module
from pyserini_qpeft.scoring.grouped_attention import grouped_attention
from pyserini_qpeft.scoring.packed_rows import why_not_packed


class Layer:
    num_key_value_groups = 3
    is_causal = True


def test_the_numbers_are_those_of_transformers() -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 6, 5, 8, generator=generator)
    key, value = (torch.randn(2, 2, 9, 8, generator=generator) for _ in range(2))
    seen = torch.rand(2, 1, 5, 9, generator=generator) < 0.7
    seen[..., 0] = True
    for mask in (None, seen, torch.where(seen, 0.0, -1e9)):
        own = sdpa_attention_forward(Layer(), query, key, value, mask, scaling=0.3)[0]
        got = module._attention(Layer(), query, key, value, mask, scaling=0.3)[0]
        torch.testing.assert_close(got, own)


def test_the_setting_of_a_model_is_put_back() -> None:
    config = tiny_model().config
    assert config._attn_implementation == "sdpa"
    with grouped_attention(config):
        assert config._attn_implementation != "sdpa"
        with grouped_attention(config):
            pass
    assert config._attn_implementation == "sdpa"
    config._attn_implementation = "eager"
    with grouped_attention(config):
        assert config._attn_implementation == "eager"


def test_a_scorer_that_starts_while_another_thread_scores_packs_its_pairs() -> None:
    model = tiny_model()
    with grouped_attention(model.config):
        assert why_not_packed(model, None, 1024) is None
