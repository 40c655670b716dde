"""`reference_settings` scores as the published code does; a formula here computes one pair at a time."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny import PAIRS, adapted, tiny_tokenizer

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.qpeft import QPeftConfig
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
INSTRUCTION = "given the hints, please generate a question for the input passage"


def tokens(text: str) -> list[int]:
    """The tokens of a text that stands at the start of a line."""
    return list(TOKENIZER(f"\n{text}", add_special_tokens=False)["input_ids"][1:])


@torch.no_grad()
def published_score(model: Any, query: str, passage: str, k: int) -> float:
    prompt, base = model.base_model.prompt, model.base_model.model
    frozen = base.get_input_embeddings().weight
    cached = [TOKENIZER.bos_token_id, *tokens(f"{INSTRUCTION}\n"), *tokens(f"Passage: {passage}\n")]
    own = tokens(f"Question: \n{query}")[len(tokens("Question: \n")) :]
    candidates = [i for i in dict.fromkeys(cached) if i not in TOKENIZER.all_special_ids]
    if prompt.config.variant == "retrieval":
        cosines = torch.cosine_similarity(prompt.table[own][:, None], frozen[candidates][None], dim=-1).amax(0)
        chosen = [candidates[i] for i in cosines.argsort(descending=True, stable=True)[:k]]
        hints = prompt.table[chosen]
    else:
        keys = torch.tensor([i in candidates for i in cached])
        attended, _ = prompt.attention(
            prompt.table[own][None], frozen[cached][None], frozen[cached][None], key_padding_mask=~keys[None]
        )
        hints = attended[0]
    before = prompt.mlp(prompt.table[tokens("hints: ")])
    after = prompt.mlp(prompt.table[tokens("\n") or TOKENIZER("\n")["input_ids"][-1:]])
    label = [TOKENIZER.bos_token_id, *own, TOKENIZER.eos_token_id]
    following = frozen[[*tokens("Question: \n"), *label]]
    vectors = torch.cat([frozen[cached], before, prompt.mlp(hints), after, following])
    logprobs = base(inputs_embeds=vectors[None], use_cache=False).logits[0].double().log_softmax(-1)
    return float(logprobs[-len(label) - 1 : -1].gather(1, torch.tensor(label)[:, None]).mean())


@pytest.mark.parametrize("cached", [0, 1 << 30])
@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_scores_equal_the_published_formula(variant: str, cached: int) -> None:
    model = adapted("llama", TOKENIZER, variant=variant, num_hints=5, reference_settings=True)
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=cached))
    pairs = [(query, passage) for query, passage in PAIRS if passage]
    expected = [published_score(model, query, passage, 5) for query, passage in pairs]
    assert scorer.score(scorer.sequences(pairs)) == pytest.approx(expected, abs=1e-5)


def test_hints_follow_the_trained_table() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval", num_hints=3, reference_settings=True)
    scorer = LikelihoodScorer(model, TOKENIZER)
    pair = [("the river Nile", "Aaron is a prophet, high priest and the brother of Moses")]
    before = scorer.sequences(pair)[0]
    with torch.no_grad():
        model.base_model.prompt.table.normal_()
    assert list(scorer.sequences(pair)[0].hint_ids) != list(before.hint_ids)


def test_what_the_published_code_has_no_choice_of_is_set() -> None:
    config = QPeftConfig(reference_settings=True, template={"instruction": "ask"})
    assert (config.hint_table, config.mlp_residual, config.attention_start) == ("copy", False, "random")
    assert config.prompt_template.instruction == "ask"
    assert config.prompt_template.question_label == "Question: \n"


def test_without_the_switch_bos_and_eos_are_not_scored() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    sequence = LikelihoodScorer(model, TOKENIZER).sequences([("the river", "Nile")])[0]
    np.testing.assert_array_equal(sequence.scored, sequence.query)


def test_every_scored_token_is_explained() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval", reference_settings=True)
    explained = QPeftReranker(LikelihoodScorer(model, TOKENIZER)).explain("the river", "the Nile is long")
    assert (explained.tokens[0].token, explained.tokens[-1].token) == (TOKENIZER.bos_token, TOKENIZER.eos_token)
