"""Scores through peft, batched, are those of the paper's formula one pair at a time."""

import pytest
import torch
from peft import get_peft_model
from qpeft.reference import reference_score
from tiny import tiny_configs, tiny_model, tiny_tokenizer

from pyserini_qpeft.qpeft import QPeftConfig
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

PAIRS = [
    ("who sings does he love me", "linda davis sings does he love me with reba"),
    ("what is the capital", "Paris is the capital of France, and the Nile runs through Egypt.\nIt is long."),
    ("nile", "Aaron is a prophet"),
    ("Où est la Tour Eiffel ? 日本", "La tour Eiffel est à Paris. 日本 🗼"),
    ("the river", ""),
]


def adapted(architecture: str, tokenizer: object, **settings: object) -> torch.nn.Module:
    """A tiny model with an adapter whose weights are all away from zero."""
    ids = tokenizer("given the hints, please generate a question for the input passage\n", add_special_tokens=False)
    config = QPeftConfig(instruction_ids=ids["input_ids"], **settings)
    torch.manual_seed(1)
    model = get_peft_model(tiny_model(architecture), config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "qpeft_" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    return model


@pytest.mark.parametrize("position", ["suffix", "prefix"])
@pytest.mark.parametrize("variant", ["retrieval", "attention"])
@pytest.mark.parametrize("architecture", list(tiny_configs()))
def test_scores_equal_the_formula_on_every_architecture(architecture: str, variant: str, position: str) -> None:
    tokenizer = tiny_tokenizer(bos=architecture != "gpt2")
    model = adapted(architecture, tokenizer, variant=variant, hint_position=position, num_hints=5)
    scorer = LikelihoodScorer(model, tokenizer)
    expected = [reference_score(model, tokenizer, query, passage) for query, passage in PAIRS]
    assert scorer.score(scorer.sequences(PAIRS)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("style", ["byte-level", "metaspace"])
@pytest.mark.parametrize("bos", [True, False])
def test_pieces_tokenise_as_the_whole_prompt_does(style: str, bos: bool) -> None:
    tokenizer = tiny_tokenizer(bos=bos, style=style)
    model = adapted("llama", tokenizer, variant="retrieval", mlp_residual=False)
    scorer = LikelihoodScorer(model, tokenizer)
    expected = [reference_score(model, tokenizer, query, passage) for query, passage in PAIRS]
    assert scorer.score(scorer.sequences(PAIRS)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("variant", ["retrieval", "attention", "none"])
def test_a_soft_instruction_stands_in_the_place_of_the_words(variant: str) -> None:
    tokenizer = tiny_tokenizer()
    model = adapted("llama", tokenizer, variant=variant, instruction_mode="soft")
    scorer = LikelihoodScorer(model, tokenizer, ScoringConfig(batch_tokens=64))
    expected = [reference_score(model, tokenizer, query, passage) for query, passage in PAIRS]
    assert scorer.score(scorer.sequences(PAIRS)) == pytest.approx(expected, abs=1e-5)
