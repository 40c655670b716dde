"""A model is called the same way with an adapter, with a LoRA and without."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()


def lora() -> Any:
    return get_peft_model(tiny_model(), LoraConfig(task_type="CAUSAL_LM"))


@pytest.mark.parametrize("make", [tiny_model, lora, lambda: adapted("llama", TOKENIZER, variant="retrieval")])
def test_passages_are_read_in_the_shape_of_the_cache_and_may_be_used_in_training(make: Any) -> None:
    model = PairModel(make())
    states = model.read_passages(torch.randint(5, 300, (3, 7)).numpy(), slice(0, 2))
    assert states.shape == (2, 2, 3, 2, 7, 8)  # layers, keys and values, passages, heads, tokens, width
    assert not states.is_inference()
    assert not states.requires_grad


def test_an_adapter_is_seen_and_so_is_whether_it_is_disabled() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    with_adapter, without = PairModel(model), PairModel(tiny_model())
    assert with_adapter.adapter is not None
    assert with_adapter.causal_model is model.base_model.model
    assert without.adapter is None
    assert without.causal_model is without.model
    assert not with_adapter.adapter_disabled
    assert not without.adapter_disabled
    with model.disable_adapter():
        assert with_adapter.adapter_disabled


@pytest.mark.parametrize("make", [tiny_model, lora, lambda: adapted("llama", TOKENIZER, variant="attention")])
def test_a_forward_pass_has_a_score_for_each_pair_and_gradients_if_wanted(make: Any) -> None:
    model = make().requires_grad_(True)
    scorer = LikelihoodScorer(model, TOKENIZER)
    sequences = scorer.sequences(PAIRS)
    scores = PairModel(model).likelihood(scorer.row_scorer.collate([[one] for one in sequences])).scores
    assert scores is not None
    assert scores.shape == (len(PAIRS),)
    assert scores.requires_grad
    torch.testing.assert_close(scores.detach(), torch.from_numpy(scorer.score(sequences)), rtol=0, atol=1e-5)
