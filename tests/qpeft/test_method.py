"""Scores through peft, batched, are those of the paper's formula one pair at a time."""

import pytest
from qpeft.reference import reference_score
from tiny import PAIRS, adapted, tiny_configs, tiny_tokenizer

from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer


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
