"""Training on packed pairs gives the scores and gradients of the same pairs in rows of their own."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer
from torch.nn import functional

from pyserini_qpeft.qpeft import packed_attention
from pyserini_qpeft.qpeft.packing import PADDING, SHARED, Packing
from pyserini_qpeft.qpeft.token_logprobs import TokenLogprobs
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
MODELS = {
    "retrieval": {"variant": "retrieval"},
    "attention": {"variant": "attention"},
    "gated": {"variant": "retrieval", "hint_gate": -1.0},
    "gated, trained words": {"variant": "attention", "hint_gate": 0.5, "instruction_mode": "suffix"},
    "soft": {"variant": "none", "instruction_mode": "soft"},
}


def trained(kind: str, architecture: str = "llama") -> Any:
    if kind == "lora":
        torch.manual_seed(1)
        config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(tiny_model(architecture), config)
    else:
        model = adapted(architecture, TOKENIZER, **MODELS[kind])
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name or "qpeft_" in name)
    return model.eval()


def gradients(model: Any, *, packed: bool, cache: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The scores of all pairs as one batch, and what a weighted sum of them gives the trained weights."""
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=cache))
    sequences = scorer.sequences(POOL)
    rows = [row for group in scorer.planner.rows(sequences) for row in group] if packed else [[i] for i in range(25)]
    paired = [[sequences[place] for place in row] for row in rows]
    assert packed == any(len(row) > 1 for row in rows)
    before = None
    if scorer.cache is not None:
        before = scorer.cache.batch([row[0].shared_ids for row in paired])
    found = scorer.row_scorer.model.likelihood(scorer.row_scorer.collate(paired), before).scores
    assert found is not None
    scores = found[torch.tensor([place for row in rows for place in row]).argsort()]
    model.zero_grad()
    (scores * torch.arange(1, 26)).sum().backward()
    return scores.detach(), {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def check(model: Any, **packed: Any) -> None:
    expected, gradient = gradients(model, packed=False)
    scores, found = gradients(model, packed=True, **packed)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)
    assert found.keys() == gradient.keys() != set()
    for name in gradient:
        torch.testing.assert_close(found[name], gradient[name], rtol=1e-3, atol=2e-3, msg=name)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each attention that was computed in parts."""
    counted: list[int] = []
    attend = packed_attention.PackedAttention._attend

    def counting(self: Any, *args: Any) -> Any:
        counted.append(1)
        return attend(self, *args)

    monkeypatch.setattr(packed_attention.PackedAttention, "_attend", counting)
    return counted


@pytest.mark.parametrize("kind", [*MODELS, "lora"])
def test_every_kind_of_adapter_learns_the_same_from_packed_pairs(kind: str, calls: list[int]) -> None:
    check(trained(kind))
    assert calls


@pytest.mark.parametrize("kind", ["retrieval", "gated", "gated, trained words"])
def test_cached_passages_stand_before_packed_pairs(kind: str, calls: list[int]) -> None:
    check(trained(kind), cache=1 << 30)
    assert calls


@pytest.mark.parametrize("architecture", ["qwen3", "gpt2", "gpt-neox", "opt", "mixtral"])
def test_other_architectures_learn_the_same(architecture: str) -> None:
    check(trained("attention", architecture))


def row(dtype: torch.dtype, *, shared: int, values: int = 8, key_heads: int = 2) -> tuple[Any, Packing, torch.Tensor]:
    """Query, keys and values of 4 heads in two rows of two pairs and one, with padding; and the mask."""
    torch.manual_seed(0)
    pairs = torch.tensor([[SHARED] * shared + [0, 0, 1, 1, 1], [SHARED] * shared + [2, 2, 2, PADDING, PADDING]])
    packing = Packing(pairs, torch.zeros_like(pairs), 3)
    shapes = ((4, 8), (key_heads, 8), (key_heads, values))
    tensors = [torch.randn(2, heads, pairs.shape[1], width, dtype=dtype) for heads, width in shapes]
    return [one.requires_grad_() for one in tensors], packing, packing.visible()[:, None]


@pytest.mark.parametrize(("values", "key_heads"), [(8, 2), (6, 4)])
def test_attention_in_parts_is_that_of_torch(values: int, key_heads: int, calls: list[int]) -> None:
    tensors, packing, mask = row(torch.float32, shared=3, values=values, key_heads=key_heads)
    found = []
    for mode in (nullcontext(), packed_attention.PackedAttention(mask, packing)):
        with mode:
            read = functional.scaled_dot_product_attention(*tensors, attn_mask=mask, enable_gqa=key_heads < 4)
        read = read * (packing.pairs >= 0)[:, None, :, None]
        found.append((read.detach(), torch.autograd.grad(read.square().sum(), tensors)))
    torch.testing.assert_close(found[1], found[0])
    assert len(calls) == 1


def test_padding_that_sees_nothing_is_a_number_in_float16(calls: list[int]) -> None:
    tensors, packing, mask = row(torch.float16, shared=0)
    with packed_attention.PackedAttention(mask, packing):
        read = functional.scaled_dot_product_attention(*tensors, attn_mask=mask, enable_gqa=True)
    assert calls
    assert read.isfinite().all()


def test_attention_with_dropout_is_left_to_torch(calls: list[int]) -> None:
    tensors, packing, mask = row(torch.float32, shared=3, key_heads=4)
    found = []
    for mode in (nullcontext(), packed_attention.PackedAttention(mask, packing)):
        torch.manual_seed(1)
        with mode:
            found.append(functional.scaled_dot_product_attention(*tensors, attn_mask=mask, dropout_p=0.5))
    torch.testing.assert_close(found[1], found[0])
    assert not calls


def test_layers_below_the_lora_attend_with_the_mask(calls: list[int]) -> None:
    model = tiny_model("llama")
    config = LoraConfig(target_modules=["q_proj"], layers_to_transform=[1], init_lora_weights=False)
    gradients(get_peft_model(model, config), packed=True)
    assert len(calls) == 1


def test_log_probabilities_and_their_gradients_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 50, (37,))
    found = []
    for function in (
        lambda logits: TokenLogprobs.apply(logits, ids),
        lambda logits: logits.log_softmax(1).gather(1, ids[:, None])[:, 0],
    ):
        logits = torch.linspace(-9, 9, 37 * 50).view(37, 50).sin().mul(20).requires_grad_()
        values = function(logits)
        (values * torch.arange(37)).sum().backward()
        found.append((values.detach(), logits.grad))
    torch.testing.assert_close(found[0], found[1])


def test_a_second_derivative_of_log_probabilities_is_refused() -> None:
    logits = torch.randn(3, 5, requires_grad=True)
    values = TokenLogprobs.apply(logits, torch.tensor([0, 1, 2]))
    (gradient,) = torch.autograd.grad(values.square().sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
