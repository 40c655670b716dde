"""Gradients are the same with a passage cache and with one batch's activations at a time."""

from typing import Any

import pytest
import torch
from tiny import PAIRS, adapted, tiny_tokenizer

from pyserini_qpeft.data.examples import TrainingPassage
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.batches import StepCollator, as_lists
from pyserini_qpeft.training.pair_scorer import PairScorer
from pyserini_qpeft.training.sampling import CandidateList

TOKENIZER = tiny_tokenizer()
PASSAGES = tuple(TrainingPassage(docid=text, title="", body=text, text=text) for _, text in PAIRS)
LISTS = [
    CandidateList(qid=query, query=query, passages=PASSAGES[:count], positive=(True, *[False] * (count - 1)))
    for (query, _), count in zip(PAIRS, (5, 2, 4, 3, 5), strict=True)
]


def step_of(model: Any, limit: int) -> tuple[LikelihoodScorer, Any]:
    """A scorer and a step of several batches."""
    config = ScoringConfig(passage_cache_bytes=limit)
    scorer = LikelihoodScorer(model, TOKENIZER, config, read_alone=True)
    return scorer, StepCollator(scorer, batch_tokens=90)([LISTS])


@pytest.fixture(scope="module")
def model() -> Any:
    model = adapted("llama", TOKENIZER, variant="attention")
    for name, weight in model.named_parameters():
        weight.requires_grad_("qpeft_" in name)
    return model


def gradients(model: Any, limit: int, *, constant_memory: bool) -> dict[str, torch.Tensor]:
    scorer, step = step_of(model, limit)
    assert len(step["batches"]) > 2
    model.zero_grad()
    module = PairScorer(model, cache=scorer.cache, constant_memory=constant_memory)
    lists = as_lists(module(step["batches"], step["shared"]), step)
    lists.scores.square().sum().backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("limit", [0, 1, 1 << 30])
@pytest.mark.parametrize("constant_memory", [False, True])
def test_gradients_do_not_depend_on_cache_or_memory(model: Any, limit: int, constant_memory: bool) -> None:
    expected = gradients(model, 0, constant_memory=False)
    got = gradients(model, limit, constant_memory=constant_memory)
    assert got.keys() == expected.keys() != set()
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


def test_a_step_reads_a_passage_once_for_all_of_its_queries(model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER)
    step = StepCollator(scorer, batch_tokens=4096)([LISTS])
    (batch,) = step["batches"]
    assert len(batch["input_ids"]) == len(PASSAGES)
    assert batch["packing"].count == len(step["places"]) == 19
    alone = StepCollator(LikelihoodScorer(model, TOKENIZER, ScoringConfig(share_passages=False)), 4096)([LISTS])
    assert sum(len(one["input_ids"]) for one in alone["batches"]) == 19


@pytest.mark.parametrize("limit", [0, 1, 1 << 30])
def test_without_gradients_scores_are_those_of_the_scorer(model: Any, limit: int) -> None:
    scorer, step = step_of(model, limit)
    with torch.no_grad():
        scores = PairScorer(model, cache=scorer.cache)(step["batches"], step["shared"])
    lists = as_lists(scores, step)
    pairs = [(one.query, passage.text) for one in LISTS for passage in one.passages]
    expected = torch.from_numpy(scorer.score(scorer.sequences(pairs)))
    torch.testing.assert_close(lists.scores[lists.valid], expected, rtol=0, atol=1e-5)
