"""On a GPU scores are those of a CPU: packed or alone, from a cache, in narrow dtypes, and when its memory runs out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

TOKENIZER = tiny_tokenizer()
QUERIES = ("who sings does he love me", "what is the capital", "Où est la Tour Eiffel ? 日本")
ALL_PAIRS = [(query, passage) for query in QUERIES for _, passage in PAIRS]
MODELS: dict[str, Callable[[], Any]] = {
    "bare": tiny_model,
    "retrieval": lambda: adapted("llama", TOKENIZER, variant="retrieval"),
    "attention": lambda: adapted("llama", TOKENIZER, variant="attention"),
    "gate": lambda: adapted("llama", TOKENIZER, variant="retrieval", hint_gate=-1.0),
    "prefix": lambda: adapted("llama", TOKENIZER, variant="retrieval", hint_position="prefix"),
}


def scores(model: Any, **settings: Any) -> Any:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(**settings))
    return scorer.score(scorer.sequences(ALL_PAIRS))


@pytest.fixture(scope="module", params=MODELS)
def on_both(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    make = MODELS[request.param]
    on_gpu = make()
    on_cpu = make()
    on_cpu.load_state_dict(on_gpu.state_dict())
    return on_cpu, on_gpu.to("cuda")


@pytest.mark.parametrize("settings", [{}, {"share_passages": False}, {"batch_tokens": 90}], ids=str)
def test_scores_are_those_of_a_cpu(on_both: tuple[Any, Any], settings: dict[str, Any]) -> None:
    on_cpu, on_gpu = on_both
    np.testing.assert_allclose(scores(on_gpu, **settings), scores(on_cpu), atol=1e-4)


def test_a_passage_cache_does_not_change_scores(on_both: tuple[Any, Any]) -> None:
    on_cpu, on_gpu = on_both
    if getattr(getattr(on_gpu, "active_peft_config", None), "hint_position", "suffix") == "prefix":
        pytest.skip("hints before the passage: there is no cache")
    np.testing.assert_allclose(scores(on_gpu, passage_cache_bytes=1 << 24), scores(on_cpu), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_dtypes_move_scores_by_rounding(dtype: torch.dtype) -> None:
    model = tiny_model()
    exact = scores(model)
    narrow = scores(model.to("cuda", dtype))
    np.testing.assert_allclose(narrow, exact, atol=0.1)


def test_batches_get_smaller_until_they_fit_the_memory_of_the_gpu() -> None:
    model = tiny_model().to("cuda")
    expected = scores(model)
    scorer = LikelihoodScorer(model, TOKENIZER)
    _, total = torch.cuda.mem_get_info()
    long = [(QUERIES[0], " ".join([str(number), *["Nile"] * 120])) for number in range(400)]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + (96 << 20)) / total)
    try:
        first = scorer.row_scorer.budget.tokens
        found = scorer.score(scorer.sequences([*long, *ALL_PAIRS]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert scorer.row_scorer.budget.tokens < first
    np.testing.assert_allclose(found[len(long) :], expected, atol=1e-4)
